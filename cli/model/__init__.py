"""`pneumoscreen model`: the checkpoints of this installation, and new ones made from them. A file for each command."""

from cli.model import registry
from cli.model.add_domain import add_domain
from cli.model.add_gate import add_gate
from cli.model.calibrate import calibrate
from cli.model.quantize import quantize

app = registry.app
for command in (calibrate, add_domain, add_gate, quantize):
    app.command()(command)
