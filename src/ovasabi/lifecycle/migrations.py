"""Migrations: Alembic's history, applied by the owner role, each step in one transaction with a limited lock wait."""

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
from sqlalchemy.ext.asyncio import AsyncConnection, create_async_engine

from ovasabi.database.roles import END_OWNING, LET_OWN, OWNER_ROLE, ensure_roles
from ovasabi.database.session import SETTINGS, open_session
from ovasabi.errors import Kind, OvasabiError, such_as
from ovasabi.kernel.declare.entity import EntityType, declared
from ovasabi.lifecycle import sql_objects
from ovasabi.lifecycle.declared_schema import metadata_of
from ovasabi.lifecycle.revisions import history, new_id, versions

LOCK_TIMEOUT = "5s"

logging.getLogger("alembic").setLevel(logging.WARNING)


class MigrationFailed(OvasabiError):
    """A migration failed; its transaction was rolled back."""

    kind = Kind.PRECONDITION
    code = "migration_failed"
    message = "The migration failed: {problem}."
    hint = "That step was rolled back. Fix the cause and run `ovasabi migrate` again."
    example = such_as(problem="0005: canceling statement due to lock timeout")


def folder() -> Path:
    """Returns the folder of the migrations: beside the sources, or inside the installed package."""
    return versions().parent


def heads() -> tuple[str, ...]:
    """Returns the heads of the history: the revisions of a database that is up to date."""
    return history().heads


async def current_revisions(url: str) -> tuple[str, ...]:
    """Returns the current revisions of a database; empty if it was never migrated."""
    connection = await open_session(url)
    try:
        return (await sql_objects.state_of(connection)).revisions
    finally:
        await connection.close()


async def pending(url: str) -> list[str]:
    """Returns the migrations that a database lacks; raises DatabaseAhead if it has an unknown one."""
    return history().pending(await current_revisions(url))


async def upgrade(url: str, progress: Callable[[str], None] = lambda _: None) -> None:
    """Creates the roles, upgrades the database to the newest revision, and updates its functions and policies."""
    await ensure_roles(url)
    state, missing = await _state_and_pending(url)
    sql_objects.plan(state)  # refuses an unknown object before anything is changed
    if missing:
        progress(f"migrating the database to {' and '.join(heads())}")
        await upgrade_tables(url)
    elif changed := state.outdated():
        progress(f"updating the functions and policies of the database ({len(changed)} changed)")
    elif state.unrecorded():
        progress("recording the functions and policies of the database")
    else:
        return
    try:
        await sql_objects.apply(url, lock_timeout=LOCK_TIMEOUT)
    except (sql_objects.ObjectFailed, asyncpg.PostgresError) as error:
        raise MigrationFailed(problem=str(error).splitlines()[0].rstrip(".")) from error


async def upgrade_tables(url: str, revision: str = "heads") -> None:
    """Applies only the history of tables and data, up to a revision, without the functions and policies."""
    await _online(url, lambda config: command.upgrade(config, revision))


async def plan(url: str) -> str:
    """Returns the SQL that `upgrade` would run, without running it."""
    state, missing = await _state_and_pending(url)
    objects = sql_objects.plan(state)
    planned = (await asyncio.to_thread(_planned_tables, state.revisions) if missing else "") + objects
    return f"{LET_OWN};\n\n{planned}\n{END_OWNING};\n" if planned else ""


def _planned_tables(applied: tuple[str, ...]) -> str:
    """Returns the SQL of the migrations after the applied ones. Alembic's own command supports only one of those."""
    config, script = _config(), _script()
    config.output_buffer = io.StringIO()
    start: Any = applied or None
    steps = partial(script._upgrade_revs, "heads")
    with EnvironmentContext(
        config, script, fn=lambda at, _: steps(at), as_sql=True, starting_rev=start, destination_rev="heads"
    ):
        script.run_env()
    return config.output_buffer.getvalue()


async def _state_and_pending(url: str) -> tuple[sql_objects.State, list[str]]:
    """Returns the state of a database, and the migrations that it lacks; raises DatabaseAhead on an unknown one."""
    connection = await open_session(url)
    try:
        state = await sql_objects.state_of(connection)
    finally:
        await connection.close()
    return state, history().pending(state.revisions)


async def new(url: str, message: str) -> Path | None:
    """Writes the migration from the current database to the declared schema; returns None if they do not differ."""
    written: list[Path] = []
    parents: Any = heads()

    def write(config: Config) -> None:
        script = command.revision(config, message=message, autogenerate=True, rev_id=new_id(), head=parents)
        if script is not None and not isinstance(script, list):
            written.append(Path(script.path))

    await _online(url, write)
    return written[0] if written else None


def new_offline(types: Sequence[EntityType], message: str) -> Path:
    """Writes the migration that creates the tables of new entities, from their declarations, without a database."""
    script, tables = _script(), metadata_of().tables
    script.messaging_opts = {"quiet": True}
    operations: list[ops.MigrateOperation] = []
    for of in types:
        table = tables[of.table_name]
        operations.append(ops.CreateTableOp.from_table(table))
        indexes = sorted(table.indexes, key=lambda index: str(index.name))
        operations.extend(ops.CreateIndexOp.from_index(index) for index in indexes)
    revision = new_id()
    upgrade_ops = ops.UpgradeOps(operations)
    directive = ops.MigrationScript(revision, upgrade_ops, ops.DowngradeOps([]), message=message)
    context = MigrationContext.configure(dialect_name="postgresql")
    writer(context, (revision,), [directive])
    upgrades = render_python_code(upgrade_ops, migration_context=context)
    written = script.generate_revision(revision, message, upgrades=upgrades, imports="", head=heads())
    assert written is not None
    return Path(written.path)


async def differences(url: str) -> list[Any]:
    """Returns what a migration would have to change; empty if the database has exactly the declared schema."""

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
    """Entry point of env.py: runs the migrations offline for a plan, or online on the caller's connection."""
    if context.is_offline_mode():
        context.configure(
            dialect_name="postgresql",
            dialect_opts={"paramstyle": "named"},  # the default would double every % in the SQL
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
    """Runs the SQL files of a revision in order, statement by statement, split by PostgreSQL's own grammar."""
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
    """Includes only tables of declared entities in the comparison: no partitions, kernel tables or removed services."""
    return kind != "table" or name in _entities()


def _compared(item: Any, name: str | None, kind: str, reflected: bool, other: Any) -> bool:
    return kind != "table" or name in _entities()


def _entities() -> dict[str, EntityType]:
    return {of.table_name: of for of in declared.values()}


writer = rewriter.Rewriter()


@writer.rewrites(ops.CreateTableOp)
def _secure(context: Any, revision: Any, op: ops.CreateTableOp) -> list[Any]:
    """Adds the call that registers a new entity's table and puts it under row-level security to its migration."""
    of = _entities()[op.table_name]
    searchable = "true" if of.searched else "false"
    call = f"CALL register_entity('{of.name}', '{of.service}', '{of.table_name}', '{of.scope}', {searchable})"
    return [op, ops.ExecuteSQLOp(call)]


@writer.rewrites(ops.DropColumnOp)
@writer.rewrites(ops.DropTableOp)
def _additive(context: Any, revision: Any, op: Any) -> list[Any]:
    """Drops nothing: migrations are additive, and what is removed from a declaration stays in the database."""
    return []


def _register(context: Any, revision: Any, directives: list[Any]) -> None:
    writer(context, revision, directives)
    script = directives[0]
    if script.upgrade_ops is not None and script.upgrade_ops.is_empty():
        directives.clear()


async def _online(url: str, run: Callable[[Config], None]) -> None:
    engine = create_async_engine(_asyncpg(url), connect_args={"timeout": 10, "server_settings": SETTINGS})
    config = _config()

    def with_connection(connection: sa.Connection) -> None:
        connection.exec_driver_sql(f"SET ROLE {OWNER_ROLE}")
        connection.exec_driver_sql(f"SET lock_timeout = '{LOCK_TIMEOUT}'")
        connection.commit()
        config.attributes["connection"] = connection
        run(config)
        connection.commit()

    async def scalar(connection: AsyncConnection, sql: str) -> Any:
        result = (await connection.exec_driver_sql(sql)).scalar()
        await connection.commit()
        return result

    try:
        async with engine.connect() as connection:
            # One process migrates at a time: a second one waits here, and then finds nothing left to do.
            await sql_objects.take_migration_lock(partial(scalar, connection))
            await _execute(connection, LET_OWN)
            try:
                await connection.run_sync(with_connection)
            finally:
                await connection.rollback()
                await _execute(connection, "RESET ROLE", END_OWNING)
    except sql_objects.ObjectFailed as error:
        raise MigrationFailed(problem=str(error)) from error
    except sa.exc.DBAPIError as error:
        problem = str(error.orig).split(": ", 1)[-1].splitlines()[0].rstrip(".")
        raise MigrationFailed(problem=problem) from error
    finally:
        await engine.dispose()


async def _execute(connection: AsyncConnection, *statements: str) -> None:
    for statement in statements:
        await connection.exec_driver_sql(statement)
    await connection.commit()


def _config() -> Config:
    config = Config()
    config.set_main_option("script_location", str(folder()))
    config.set_main_option("version_path_separator", "os")
    config.set_main_option("file_template", "%%(rev)s_%%(slug)s")
    return config


def _script() -> ScriptDirectory:
    return ScriptDirectory.from_config(_config())


def _asyncpg(url: str) -> str:
    """Returns the URL in the form of SQLAlchemy's asyncpg dialect."""
    rest = url.partition("://")[2]
    return f"postgresql+asyncpg://{rest}"
