"""${message}; generated from the declarations."""

<% uses = upgrades or "" %>\
% if "sa." in uses:
import sqlalchemy as sa
% endif
% if "op." in uses:
from alembic import op
% endif
% if "postgresql." in uses:
from sqlalchemy.dialects import postgresql
% endif

revision = ${repr(up_revision)}
down_revision = ${repr(down_revision)}
branch_labels = None
depends_on = None


def upgrade() -> None:
    ${upgrades if upgrades else "pass"}
