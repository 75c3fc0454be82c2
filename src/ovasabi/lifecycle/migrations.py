"""Migrations: Alembic's history, brought up by the owner role, each step one transaction with a bounded lock wait."""

import asyncio
import io
import logging
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import asyncpg
import postgast
import sqlalchemy as sa
from alembic import command
from alembic.autogenerate import compare_metadata, render_python_code, rewriter
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.operations import ops
from alembic.runtime.environment import EnvironmentContext
from alembic.script import ScriptDirectory
from sqlalchemy.ext.asyncio import create_async_engine

from ovasabi.database.roles import OWNER_ROLE, ensure_roles
from ovasabi.errors import Kind, OvasabiError, such_as
from ovasabi.kernel.declare.entity import EntityType, declared
from ovasabi.lifecycle import sql_objects
from ovasabi.lifecycle.declared_schema import metadata_of
from ovasabi.lifecycle.revisions import history, new_id, versions

LOCK_TIMEOUT = "5s"
TURN_TIMEOUT = "120s"
"""How long to wait for another process that migrates the same database."""

logging.getLogger("alembic").setLevel(logging.WARNING)


class MigrationFailed(OvasabiError):
    """A migration failed; its transaction was rolled back."""

    kind = Kind.PRECONDITION
    code = "migration_failed"
    message = "The migration failed: {problem}."
    hint = "That step was rolled back. Fix the cause and run `ovasabi migrate` again."
    example = such_as(problem="0005: canceling statement due to lock timeout")


def folder() -> Path:
    """Where the migrations are: beside the sources, or inside the installed package."""
    return versions().parent


def heads() -> tuple[str, ...]:
    """The ends of the history: what a database is at when it is up to date."""
    return history().heads


async def current_revisions(url: str) -> tuple[str, ...]:
    """The migrations that a database is at; empty if it was never migrated."""
    connection = await asyncpg.connect(url, timeout=10)
    try:
        return (await sql_objects.state_of(connection)).revisions
    finally:
        await connection.close()


async def pending(url: str) -> list[str]:
    """The migrations that a database lacks; raises DatabaseAhead if it has one that is not ours."""
    return history().pending(await current_revisions(url))


async def upgrade(url: str, progress: Callable[[str], None] = lambda _: None) -> None:
    """Brings a database to the newest revision, step by step, then its functions and policies; roles are made first."""
    await ensure_roles(url)
    state, lacking = await _known_state(url)
    if lacking:
        progress(f"migrating the database to {' and '.join(heads())}")
        await upgrade_tables(url)
    elif changed := state.outdated():
        progress(f"updating the functions and policies of the database ({len(changed)} changed)")
    elif state.unrecorded():
        progress("recording the functions and policies of the database")
    else:
        return
    try:
        await sql_objects.apply(url, turn_timeout=TURN_TIMEOUT, lock_timeout=LOCK_TIMEOUT)
    except (sql_objects.ObjectFailed, asyncpg.PostgresError) as error:
        raise MigrationFailed(problem=str(error).splitlines()[0].rstrip(".")) from error


async def upgrade_tables(url: str, revision: str = "heads") -> None:
    """Only the history of tables and data, up to a revision: `upgrade` applies the functions and policies after it."""
    await _online(url, lambda config: command.upgrade(config, revision))


async def plan(url: str) -> str:
    """The SQL that `upgrade` would run, as text; nothing is touched."""
    state, lacking = await _known_state(url)
    objects = sql_objects.plan(state)
    return (await asyncio.to_thread(_planned_tables, state.revisions) if lacking else "") + objects


def _planned_tables(applied: tuple[str, ...]) -> str:
    """The SQL of the migrations that follow those applied. Alembic's own command plans from one migration only."""
    config, script = _config(), _script()
    config.output_buffer = io.StringIO()
    start: Any = applied or None
    steps = partial(script._upgrade_revs, "heads")
    with EnvironmentContext(
        config, script, fn=lambda at, _: steps(at), as_sql=True, starting_rev=start, destination_rev="heads"
    ):
        script.run_env()
    return config.output_buffer.getvalue()


async def _known_state(url: str) -> tuple[sql_objects.State, list[str]]:
    """What a database says of itself, and the migrations that it lacks, if those that it is at are ours."""
    connection = await asyncpg.connect(url, timeout=10)
    try:
        state = await sql_objects.state_of(connection)
    finally:
        await connection.close()
    return state, history().pending(state.revisions)


async def new(url: str, message: str) -> Path | None:
    """Writes the migration from the database as it is to the declarations; None if there is no difference."""
    written: list[Path] = []
    follows: Any = heads()

    def make(config: Config) -> None:
        script = command.revision(config, message=message, autogenerate=True, rev_id=new_id(), head=follows)
        if script is not None and not isinstance(script, list):
            written.append(Path(script.path))

    await _online(url, make)
    return written[0] if written else None


def new_offline(types: Sequence[EntityType], message: str) -> Path:
    """Writes the migration that creates new entities' tables, from their declarations alone: no database is asked."""
    script, tables = _script(), metadata_of().tables
    script.messaging_opts = {"quiet": True}
    made: list[ops.MigrateOperation] = []
    for of in types:
        table = tables[of.table_name]
        made.append(ops.CreateTableOp.from_table(table))
        indexes = sorted(table.indexes, key=lambda index: str(index.name))
        made.extend(ops.CreateIndexOp.from_index(index) for index in indexes)
    revision = new_id()
    upgrade_ops = ops.UpgradeOps(made)
    directive = ops.MigrationScript(revision, upgrade_ops, ops.DowngradeOps([]), message=message)
    context = MigrationContext.configure(dialect_name="postgresql")
    writer(context, (revision,), [directive])
    upgrades = render_python_code(upgrade_ops, migration_context=context)
    written = script.generate_revision(revision, message, upgrades=upgrades, imports="", head=heads())
    assert written is not None
    return Path(written.path)


async def differences(url: str) -> list[Any]:
    """What a migration would have to do: empty if history gives exactly the declared schema."""

    def compare(connection: sa.Connection) -> list[Any]:
        context = MigrationContext.configure(connection, opts=_options())
        return list(compare_metadata(context, metadata_of()))

    engine = create_async_engine(_asyncpg(url))
    try:
        async with engine.connect() as connection:
            return await connection.run_sync(compare)
    finally:
        await engine.dispose()


def run_environment(context: EnvironmentContext) -> None:
    """What env.py runs: offline for a plan, online with the connection that the caller gave."""
    if context.is_offline_mode():
        context.configure(
            dialect_name="postgresql",
            dialect_opts={"paramstyle": "named"},  # the default would double every % in the text
            literal_binds=True,
            transaction_per_migration=True,
        )
        with context.begin_transaction():
            context.execute(f"SET ROLE {OWNER_ROLE}")
            context.run_migrations()
        return
    context.configure(
        connection=context.config.attributes["connection"],
        transaction_per_migration=True,
        target_metadata=metadata_of(),
        process_revision_directives=_register,
        **_options(),
    )
    with context.begin_transaction():
        context.run_migrations()


def run_files(operations: Any, revision: str) -> None:
    """Runs the SQL files of a revision in order, statement by statement (PostgreSQL's own grammar splits them)."""
    for file in sorted((folder() / "sql" / revision).glob("*.sql")):
        for statement in postgast.split(file.read_text()):
            operations.execute(statement.replace(":", "\\:"))


def _options() -> dict[str, Any]:
    return {
        "include_name": _included,
        "include_object": _compared,
        "compare_type": True,
        "compare_server_default": True,
    }


def _included(name: str | None, kind: str, parents: Any) -> bool:
    """Only tables of declared entities are compared: not partitions, not the kernel's, not a removed service's."""
    return kind != "table" or name in _entities()


def _compared(item: Any, name: str | None, kind: str, reflected: bool, other: Any) -> bool:
    return kind != "table" or name in _entities()


def _entities() -> dict[str, EntityType]:
    return {of.table_name: of for of in declared.values()}


writer = rewriter.Rewriter()


@writer.rewrites(ops.CreateTableOp)
def _secure(context: Any, revision: Any, op: ops.CreateTableOp) -> list[Any]:
    """A new entity's table is registered, and put under row-level security, by the migration that makes it."""
    of = _entities()[op.table_name]
    searchable = "true" if of.searched else "false"
    call = f"CALL register_entity('{of.name}', '{of.service}', '{of.table_name}', '{of.scope}', {searchable})"
    return [op, ops.ExecuteSQLOp(call)]


@writer.rewrites(ops.DropColumnOp)
@writer.rewrites(ops.DropTableOp)
def _additive(context: Any, revision: Any, op: Any) -> list[Any]:
    """Migrations are additive: what a declaration no longer has stays in the database."""
    return []


def _register(context: Any, revision: Any, directives: list[Any]) -> None:
    writer(context, revision, directives)
    script = directives[0]
    if script.upgrade_ops is not None and script.upgrade_ops.is_empty():
        directives.clear()


async def _online(url: str, run: Callable[[Config], None]) -> None:
    engine = create_async_engine(_asyncpg(url), connect_args={"timeout": 10})
    config = _config()

    def with_connection(connection: sa.Connection) -> None:
        connection.exec_driver_sql(f"SET ROLE {OWNER_ROLE}")
        # One migration at a time: a second process waits here, then finds nothing left to do.
        connection.exec_driver_sql(f"SET lock_timeout = '{TURN_TIMEOUT}'")
        connection.exec_driver_sql(sql_objects.TURN)
        connection.exec_driver_sql(f"SET lock_timeout = '{LOCK_TIMEOUT}'")
        connection.commit()
        config.attributes["connection"] = connection
        run(config)
        connection.commit()

    try:
        async with engine.connect() as connection:
            await connection.run_sync(with_connection)
    except sa.exc.DBAPIError as error:
        problem = str(error.orig).split(": ", 1)[-1].splitlines()[0].rstrip(".")
        raise MigrationFailed(problem=problem) from error
    finally:
        await engine.dispose()


def _config() -> Config:
    config = Config()
    config.set_main_option("script_location", str(folder()))
    config.set_main_option("version_path_separator", "os")
    config.set_main_option("file_template", "%%(rev)s_%%(slug)s")
    return config


def _script() -> ScriptDirectory:
    return ScriptDirectory.from_config(_config())


def _asyncpg(url: str) -> str:
    """The URL as SQLAlchemy's asyncpg dialect takes it."""
    rest = url.partition("://")[2]
    return f"postgresql+asyncpg://{rest}"
