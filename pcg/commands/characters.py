"""Commands that make characters and monsters."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

from cyclopts import Parameter

from pcg.commands.shared import (
    MAKING,
    Device,
    Force,
    Models,
    Server,
    UserError,
    app,
    open_runtime,
    report_failed,
    say,
)


@app.command(group=MAKING)
def character(
    out: Path,
    *,
    seed: int | None = None,
    set_: Annotated[list[str] | None, Parameter("--set", negative="")] = None,
    text: str | None = None,
    from_: Annotated[Path | None, Parameter("--from")] = None,
    seed_b: int | None = None,
    blend: float | None = None,
    vary: int | None = None,
    change: float | None = None,
    truncation: float | None = None,
    colors: int | None = None,
    palette: Path | None = None,
    format: str | None = None,
    indexed: bool = False,
    count: int | None = None,
    force: Force = False,
    server: Server = None,
    models: Models = None,
    device: Device = "auto",
) -> int:
    """Make a character: a sheet of 36 frames, standing and walking in four directions, and its credits.

    A sheet that is there already is kept: interrupt it whenever you like, the same command goes on. Another file is not
    replaced without --force. With --count, seeds of which no sheet came are listed at the end, and the exit code is 1.

    Examples:

        pcg character hero.png --seed 7
        pcg character knight.png --set body=female --set outer=plate --set hair_colour=red
        pcg character mage.png --text "old wizard with a blue robe and no beard"
        pcg character mine.json --from drawing.png --format gif
        pcg character between.png --seed 7 --seed-b 8 --blend 0.4
        pcg character sisters/ --vary 7 --change 0.2 --count 20 --format godot,frames
        pcg character retro.png --seed 7 --colors 16 --palette mine.gpl --indexed

    :param out: Sheet to write (.png); .json, .tres and .gif write the sheet as well; with --count, a folder.
    :param seed: Which character, 0 by default; with --count the first of consecutive seeds.
    :param set_: NAME=VALUE, a wish; as many as you like. docs/characters.md and `pcg models --json` have the names.
    :param text: The character in English words; a wish of --set comes before them. docs/characters.md has the words.
    :param from_: Your own drawing of the front, at most 64x64 pixels on transparent ground; smaller ones are enlarged
        by whole numbers.
    :param seed_b: A second character, to blend with.
    :param blend: How much of the second, 0 to 1; 0.5 by default.
    :param vary: Seed of a character to make others of.
    :param change: With --vary, the share that is drawn anew, 0 to 1; 0.3 by default.
    :param truncation: 0 gives items as they were drawn, 1, the default, blends of them.
    :param colors: Colours of the sheet at most, 2 to 64, the transparent one counted.
    :param palette: Your own colours, a .gpl or .hex file: the sheet has these and no others.
    :param format: What else to write, separated by commas: json-hash, json-array, godot, frames, gif, apng.
    :param indexed: Write the PNG with a palette.
    :param count: How many, one for each seed from --seed on.
    """
    from pcg.assets.characters import make_characters, parse_wishes, read_colours, remarks, summary
    from pcg.assets.drawing import read_front

    numbers = {"blend": blend, "change": change, "truncation": truncation, "colors": colors}
    params: dict[str, Any] = {name: value for name, value in numbers.items() if value is not None}
    for name, other in (("blend", seed_b), ("change", vary)):
        if name in params and other is None:
            raise UserError(f"--{name} says how much; add --{'seed-b' if name == 'blend' else 'vary'} for of what")
    params |= {name: value for name, value in {"seed_b": seed_b, "vary": vary}.items() if value is not None}
    if palette is not None:
        params["palette"] = read_colours(palette)
    if from_ is not None:
        if seed is not None or set_ or text is not None or seed_b is not None or vary is not None:
            raise UserError("--from is a whole character: leave out --seed, --set, --text, --seed-b and --vary")
        params["front"] = read_front(from_)
    if set_:
        params["attributes"] = parse_wishes(set_)
    if text is not None:
        params["text"] = text
    with open_runtime(server, models, device) as runtime:
        failed: dict[int, str] = {}
        options: dict[str, Any] = {"indexed": indexed, "force": force, "failed": failed}
        made, told = make_characters(runtime, out, params, seed or 0, count, format, **options), False
        for response, paths in made:
            if response is not None and not told:
                told = True
                for line in remarks(response):
                    say(line)
            say(f"{paths[0]}: {'is there already' if response is None else summary(response)}")
            for path in paths:
                print(path)
    return report_failed(failed, count)


@app.command(group=MAKING)
def monster(
    out: Path,
    *,
    seed: int = 0,
    category: str | None = None,
    vary: Path | None = None,
    change: float | None = None,
    truncation: float | None = None,
    indexed: bool = False,
    count: int | None = None,
    force: Force = False,
    server: Server = None,
    models: Models = None,
    device: Device = "auto",
) -> None:
    """Make a monster of 32x32 pixels, and its credits.

    A monster that is there already is kept: the same command goes on. Another file is not replaced without --force.

    Examples:

        pcg monster beast.png --seed 7
        pcg monster crypt/ --category undead --count 40
        pcg monster litter/ --vary beast.png --change 0.2 --count 12

    :param out: File to write (.png); with --count, a folder.
    :param seed: Which monster; with --count the first of consecutive seeds.
    :param category: animal, humanoid, undead, demon, dragon, slime or horror; by default any.
    :param vary: A monster's file, to make others of, of its kind; each seed gives another.
    :param change: With --vary, how far they are from it, 0 to 1; 0.3 by default.
    :param truncation: 0 gives drawn monsters, 1, the default, blends of two.
    :param indexed: Write the PNG with a palette.
    :param count: How many, one for each seed from --seed on.
    """
    from pcg.assets.characters import make_monsters, read_monster

    numbers = {"category": category, "truncation": truncation, "change": change}
    params: dict[str, Any] = {name: value for name, value in numbers.items() if value is not None}
    if vary is None and change is not None:
        raise UserError("--change says how far a variation is from the monster of --vary; add that")
    if vary is not None and category is not None:
        raise UserError("a variation is of the same kind as the monster of --vary: leave out --category")
    with open_runtime(server, models, device) as runtime:
        if vary is not None:
            params = read_monster(runtime, vary) | params
        for kind, paths in make_monsters(runtime, out, params, seed, count, indexed=indexed, force=force):
            say(f"{paths[0]}: {'is there already' if kind is None else kind}")
            print(paths[0])
