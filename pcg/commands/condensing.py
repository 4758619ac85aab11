"""The command that condenses a training run: condense."""

from __future__ import annotations

from pathlib import Path

from pcg.commands.shared import TRAINING, app, say


@app.command(group=TRAINING)
def condense(run: Path, out: Path) -> None:
    """Write a small copy of a run, from which its training can be resumed.

    The copy has the averaged generator and the discriminator in bfloat16, and no optimisers: a seventh of the size. A
    training that resumes from it starts with new optimisers, and with the averaged generator as its generator.

    Examples:

        pcg condense runs/00004-terrain-coarse keep/coarse
        pcg train terrain-coarse --data dem/ --out keep/coarse --resume --steps 30000

    :param run: Folder of a run of a terrain, character or monster model, with its checkpoint.
    :param out: Folder of the copy; it must not hold a run.
    """
    from pcg.learning import checkpoint

    checkpoint.condense_run(run, out)
    before, after = ((folder / checkpoint.NAME).stat().st_size / 1e6 for folder in (run, out))
    say(f"{before:.2f} MB condensed to {after:.2f} MB")
    print(out)
