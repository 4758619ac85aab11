"""The command that makes terrain: terrain."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

from cyclopts import Parameter

from pcg.commands.shared import MAKING, Device, Force, Models, Server, UserError, app, open_runtime

if TYPE_CHECKING:
    from pcg.assets.terrain import Land
    from pcg.assets.tiles import Grid


@Parameter(name="*")
@dataclass(frozen=True)
class Place:
    """Where a map lies, and how large it is.

    :param x: World pixel (90 m) of the left edge; x goes east. With --tiles and --sketch, from the sketch's left edge.
    :param y: World pixel of the top edge; y goes south. With --tiles and --sketch, from the sketch's top edge.
    :param size: Side in pixels, 1024 by default, up to 262144; with --tiles of one tile, 1025 by default (Unreal:
        1009). A sketch has its own.
    :param lod: Level of detail; 0 is 90 m a pixel, each next one twice as much.
    """

    x: int = 0
    y: int = 0
    size: int | None = None
    lod: int = 0


@Parameter(name="*")
@dataclass(frozen=True)
class World:
    """The large forms of a world.

    :param style: Kind of land: alpine, plateau, lowland, archipelago, a blend such as alpine:0.7,lowland:0.3, or
        varied, the default, which changes from place to place.
    :param control: Where the large forms come from: "learned", the default, or "noise", the classic generator.
    """

    style: str | None = None
    control: Literal["learned", "noise"] | None = None


@Parameter(name="*")
@dataclass(frozen=True)
class Beside:
    """What is written beside the heights.

    :param layers: What to write beside the heights, separated by commas: normal, slope, water, flow, biome, splat.
    :param rivers: Also write NAME.rivers.geojson, the rivers as lines with height, width and catchment.
    :param rivers_from: Where rivers begin: square kilometres that they drain at least, 5 to 500.
    """

    layers: str = "height"
    rivers: bool = False
    rivers_from: float = 25.0


@Parameter(name="*")
@dataclass(frozen=True)
class Forms:
    """Large forms that the user gives: a sketch, or a map to vary.

    :param sketch: Your large forms: a grey PNG, a TIFF or a .npy, one value for 16 pixels (1,440 m).
    :param vary: A map's file, to make others with the same large forms, at the same place and size: each seed has other
        detail.
    :param height_range: LOW:HIGH, the metres that black and white of the sketch stand for.
    :param grain: How fine-wrought a sketch's land is: -1, smooth, to 1, cut by every brook; by default it changes from
        place to place.
    """

    sketch: Path | None = None
    vary: Path | None = None
    height_range: Annotated[str | None, Parameter(allow_leading_hyphen=True)] = None
    grain: float | None = None


@Parameter(name="*")
@dataclass(frozen=True)
class Files:
    """Which files a map is written to.

    :param tiles: COLUMNSxROWS, such as 4x4: a grid of tiles. Those of an odd side share their edges.
    :param naming: How tiles are named: plain NAME_c0_r0; unity NAME_0_0, x then z, z from the south; unreal NAME_x0_y0.
    :param flip_y: Write the southernmost row first, as Unity's raw import wants it; the default with --naming unity.
    :param format: File format; by default from OUT's suffix, else png.
    :param preview: Also write a hillshade, NAME.preview.png (of other formats NAME.SUFFIX.preview.png); never with
        --tiles.
    """

    tiles: str | None = None
    naming: Literal["plain", "unity", "unreal"] = "plain"
    flip_y: bool | None = None
    format: Literal["png", "r16", "raw", "tif", "exr", "npy"] | None = None
    preview: bool = True


@app.command(group=MAKING)
def terrain(
    out: Path,
    *,
    seed: int = 0,
    place: Place = Place(),
    world: World = World(),
    beside: Beside = Beside(),
    forms: Forms = Forms(),
    files: Files = Files(),
    count: int | None = None,
    force: Force = False,
    server: Server = None,
    models: Models = None,
    device: Device = "auto",
) -> None:
    """Make a heightmap of any size: the file, a JSON sidecar and a hillshade preview (docs/formats.md).

    Large maps are written strip by strip. Interrupt it whenever you like: the same command goes on. A map that is there
    already is kept; another file is not replaced without --force.

    Examples:

        pcg terrain world.png --seed 7
        pcg terrain heights.r16 --seed 7 --x -4096 --y 512 --size 2049 --layers normal,slope
        pcg terrain islands.png --seed 7 --style archipelago --lod 2
        pcg terrain endless.tif --seed 7 --size 16384
        pcg terrain valley.tif --seed 7 --rivers --rivers-from 10
        pcg terrain unity/world.raw --seed 7 --tiles 4x4 --size 1025 --naming unity
        pcg terrain island.png --seed 7 --sketch island-32x32.png --height-range -200:1800 --grain -0.5
        pcg terrain many/ --count 50 --format r16
        pcg terrain others/ --vary world.png --count 10

    :param out: File to write (.png, .r16, .raw, .tif, .exr, .npy); with --count, a folder.
    :param seed: Which world; with --count the first of consecutive seeds.
    :param count: How many worlds, one for each seed from --seed on.
    """
    from pcg.assets.terrain import Output, make_terrain
    from pcg.assets.variation import vary_terrain

    if forms.vary is not None:
        _check_variation(place, world, forms, files)
    land = _land(place, world, forms, tiled=bool(files.tiles))
    output = Output(
        form=files.format,
        layers=tuple(name.strip() for name in beside.layers.split(",") if name.strip()),
        preview=files.preview,
        flip=files.naming == "unity" if files.flip_y is None else files.flip_y,
        grid=_grid(files, place.size),
        rivers_km2=beside.rivers_from if beside.rivers else None,
    )
    with open_runtime(server, models, device) as runtime:
        if forms.vary is not None:
            land = vary_terrain(runtime, forms.vary)
        for path in make_terrain(runtime, out, land, output, seed, count, force=force):
            print(path)


def _check_variation(place: Place, world: World, forms: Forms, files: Files) -> None:
    """Raise UserError where --vary stands beside a flag that it decides itself."""
    decided = (forms.sketch, world.style, world.control, files.tiles, place.lod, place.x, place.y, place.size)
    if not all(given in (None, 0) for given in (*decided, forms.grain)):
        raise UserError(
            "a variation has its map's large forms, place, size and level: leave out --sketch, --style, --control, "
            "--grain, --tiles, --x, --y, --size and --lod"
        )


def _land(place: Place, world: World, forms: Forms, *, tiled: bool) -> Land:
    """The land that the flags ask for: of a world, or of a sketch.

    `tiled`: the map is cut into tiles.

    Raises:
        UserError: flags contradict each other; ValueError: the sketch is not as it should be; FileNotFoundError.
    """
    from pcg.assets.sketch import parse_height_range, read_sketch
    from pcg.assets.terrain import Land

    params: dict[str, Any] = {"lod": place.lod}
    sketch = None
    if forms.sketch is None:
        if forms.height_range is not None:
            raise UserError("--height-range says how to read a --sketch; there is none")
        if forms.grain is not None:
            raise UserError("--grain says how fine-wrought the land of a --sketch is; there is none")
        given: dict[str, Any] = {"style": world.style, "control": world.control}
    else:
        if world.style is not None or world.control is not None:
            raise UserError("a sketch is the large forms itself: leave out --style and --control")
        if not tiled and (place.x or place.y or place.size is not None):
            raise UserError(
                "a sketch has its own size and place: leave out --x, --y and --size, or cut it with --tiles"
            )
        given = {"grain": forms.grain}
        span = parse_height_range(forms.height_range) if forms.height_range else ()
        sketch = read_sketch(forms.sketch, *span)
    params |= {name: value for name, value in given.items() if value is not None}
    return Land(params, place.x, place.y, size=1024 if place.size is None else place.size, sketch=sketch)


def _grid(files: Files, size: int | None) -> Grid | None:
    """The grid of tiles that the flags ask for, each of `size` pixels; None without --tiles. Raises UserError."""
    from pcg.assets.tiles import Grid

    if files.tiles is None:
        if files.naming != "plain":
            raise UserError(f"--naming {files.naming} names tiles; add --tiles, for example --tiles 4x4")
        return None
    columns, _, rows = files.tiles.partition("x")
    if not (columns.isdecimal() and rows.isdecimal()):
        raise UserError(f"--tiles {files.tiles!r}: write COLUMNSxROWS, for example 4x4")
    return Grid(int(columns), int(rows), size or (1009 if files.naming == "unreal" else 1025), files.naming)
