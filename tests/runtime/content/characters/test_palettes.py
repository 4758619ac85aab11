"""Palettes: fewer colours, files in and out, stray pixels."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from runtime.content.characters import palettes

images = st.integers(0, 2**32 - 1).map(
    lambda seed: palettes.crisp(np.random.default_rng(seed).integers(0, 256, (9, 11, 4)).astype(np.uint8))
)
palette = hnp.arrays(np.uint8, st.tuples(st.integers(1, 40), st.just(3)))


def coloured(*pixels: tuple[int, int, int] | None) -> np.ndarray:
    return np.array([[(*p, 255) if p else (0, 0, 0, 0) for p in pixels]], np.uint8)


@given(images, st.integers(1, 80))
@settings(max_examples=40, deadline=None)
def test_reducing_keeps_form_and_takes_colours_from_the_image(image: np.ndarray, limit: int) -> None:
    few = palettes.reduce_colours(image, limit)
    before, after = (palettes.colours_of(i)[0] for i in (image, few))
    assert len(after) <= limit
    assert np.array_equal(few[..., 3], image[..., 3])
    assert {tuple(c) for c in after.tolist()} <= {tuple(c) for c in before.tolist()}
    assert np.array_equal(palettes.reduce_colours(few, limit), few)
    if len(before) <= limit:
        assert np.array_equal(few, image)


def test_the_rarest_of_two_near_colours_goes() -> None:
    image = coloured((10, 10, 10), (10, 10, 10), (12, 10, 10), (250, 0, 0), None)
    few = palettes.reduce_colours(image, 2)
    assert np.array_equal(few, coloured((10, 10, 10), (10, 10, 10), (10, 10, 10), (250, 0, 0), None))
    with pytest.raises(ValueError, match="0 colours: 1 to 256"):
        palettes.reduce_colours(image, 0)


def test_pixels_count_over_a_whole_sheet() -> None:
    """A colour of one frame alone gives way to one that all frames have, though it is the only one of its frame."""
    frames = np.concatenate([coloured((0, 0, 200))] * 9 + [coloured((0, 0, 190))])
    assert len(np.unique(palettes.reduce_colours(frames, 1)[:, 0], axis=0)) == 1


def test_a_picture_of_very_many_colours_is_reduced() -> None:
    photo = np.random.default_rng(0).integers(0, 256, (200, 300, 4)).astype(np.uint8)
    few = palettes.reduce_colours(palettes.crisp(photo), 64)
    assert len(palettes.colours_of(few)[0]) == 64


def test_the_order_of_pixels_does_not_matter() -> None:
    image = palettes.crisp(np.random.default_rng(3).integers(0, 256, (40, 40, 4)).astype(np.uint8))
    mixed = np.random.default_rng(4).permutation(image.reshape(-1, 4))
    one, other = palettes.reduce_colours(image, 16), palettes.reduce_colours(mixed, 16)
    assert np.array_equal(palettes.colours_of(one)[0], palettes.colours_of(other)[0])


@given(images, palette)
@settings(max_examples=40, deadline=None)
def test_snapped_colours_are_the_nearest(image: np.ndarray, colours: np.ndarray) -> None:
    snapped = palettes.snap(image, colours)
    opaque = image[..., 3] > 0
    apart = palettes.distances(image[opaque][:, :3], colours)
    found = palettes.distances(snapped[opaque][:, :3], colours)
    assert (found.min(1, initial=10**9) == 0).all()
    if opaque.any():
        assert np.array_equal(snapped[opaque][:, :3], colours[apart.argmin(1)])
    assert not snapped[~opaque].any()


@given(images)
@settings(max_examples=30, deadline=None)
def test_an_indexed_image_is_the_image(image: np.ndarray) -> None:
    indices, colours = palettes.indexed(image)
    assert np.array_equal(colours[indices], image[..., :3])
    assert np.array_equal(indices > 0, image[..., 3] > 0)


def test_too_many_colours_for_an_indexed_picture() -> None:
    image = np.full((256, 1, 4), 255, np.uint8)
    image[:, 0, 0] = range(256)
    with pytest.raises(ValueError, match="reduce them first"):
        palettes.indexed(image)


@given(palette, st.sampled_from(["my palette.gpl", "a/b.hex"]))
def test_palette_files_are_read_as_they_were_written(colours: np.ndarray, name: str) -> None:
    line = "{:02x}{:02x}{:02x}" if name.endswith("hex") else "{:3d} {:3d} {:3d}\t#"
    header = [] if name.endswith("hex") else ["GIMP Palette", "Name: my palette", "Columns: 8", "#"]
    text = "\n".join([*header, *(line.format(*colour) for colour in colours.tolist())])
    assert np.array_equal(palettes.read_palette(text, name), colours)


def test_palette_files_of_others() -> None:
    gimp = "GIMP Palette\r\nName: Dawn\r\nColumns: 4\r\n# a comment\r\n 26  28  44\tUntitled\r\n255 0 7\r\n"
    assert palettes.read_palette(gimp, "DAWN.GPL").tolist() == [[26, 28, 44], [255, 0, 7]]
    assert palettes.read_palette("\ufeff1a1c2c\n\n; a comment\n#FF0007\n", "x.hex").tolist() == [
        [26, 28, 44],
        [255, 0, 7],
    ]


@pytest.mark.parametrize(
    ("text", "name", "message"),
    [
        ("1a1c2c", "x.gpx", r"did you mean '\.gpl'"),
        ("1a1c2c\nnonsense", "x.hex", "line 2: 'nonsense' is no colour of the form rrggbb"),
        ("1a1c2", "x.hex", "line 1"),
        ("", "x.hex", "x.hex holds 0 colours; a palette has 1 to 256"),
        ("000000\n" * 257, "x.hex", "257 colours"),
        ("1 2 3", "x.gpl", "does not begin with the line 'GIMP Palette'"),
        ("GIMP Palette\n1 2 300", "x.gpl", "line 2: '1 2 300' does not begin with red, green and blue"),
        ("GIMP Palette\n1 2", "x.gpl", "line 2"),
    ],
)
def test_bad_palette_files_are_refused(text: str, name: str, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        palettes.read_palette(text, name)


def test_pieces_that_touch_nothing_are_strays() -> None:
    frames = np.zeros((2, 8, 8, 4), np.uint8)
    frames[0, 0, 0] = frames[0, 7, 5] = frames[0, 6, 6] = 255  # a pixel; two that touch at a corner
    frames[0, 2:4, 2:4] = 255  # four pixels stay
    frames[1] = 255
    cleaned = palettes.remove_strays(frames)
    assert cleaned[0, ..., 3].sum() == 4 * 255
    assert np.array_equal(cleaned[1], frames[1])
    assert np.array_equal(palettes.remove_strays(cleaned), cleaned)


def test_crisp_images_have_no_half_transparent_pixel() -> None:
    image = np.array([[[9, 9, 9, 127], [8, 8, 8, 128]]], np.uint8)
    assert palettes.crisp(image).tolist() == [[[0, 0, 0, 0], [8, 8, 8, 255]]]
