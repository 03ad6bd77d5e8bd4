"""Scenes packed into a page: the same positions to a hundredth, groups, and an end of room."""

import base64
import json
import zlib

import numpy as np

import structures
from ionsieve.screening.pages.packed import GROUP, pack_scenes, packed_scene
from ionsieve.screening.pages.scene import Scene, build_scene
from ionsieve.screening.pages.svg import view_rotation


def scene(name: str = "Li6PS5Cl_F43m") -> Scene:
    return build_scene(structures.get(name))


def unpacked(stream: str) -> list[dict]:
    return json.loads(zlib.decompress(base64.b64decode(stream)))


def test_positions_are_kept_to_a_hundredth_of_an_angstrom() -> None:
    one = scene()
    rows = np.array(packed_scene(one)["at"]).reshape(-1, 5)
    centre = 0.5 * one.block_A.sum(axis=0)
    expected = (one.positions_A - centre) @ view_rotation(one)
    np.testing.assert_allclose(rows[:, :3] / 100, expected, atol=0.00501)
    assert [s.site for s in one.sites] == rows[:, 4].tolist()


def test_indices_count_sites_and_labels_say_who_they_are() -> None:
    one = scene()
    packed = packed_scene(one)
    for name, width in (("bonds", 2), ("faces", 3), ("edges", 2), ("cageFaces", 3)):
        assert len(packed[name]) % width == 0
        assert max(packed[name], default=0) < len(one.sites)
    labels = {look[3] for look in packed["kinds"]}
    assert {"Li, mobile ion", "S, isolated anion", "P, framework cation"} <= {
        label if "0." not in label else "Li, mobile ion" for label in labels
    }


def test_groups_share_a_stream_and_every_scene_is_found() -> None:
    from dataclasses import replace

    one = scene()
    scenes = [replace(one, id=f"s{k}") for k in range(GROUP + 3)]
    packed = pack_scenes(scenes)
    assert len(packed.streams) == 2
    for k, (stream, index) in enumerate(packed.places[s.id] for s in scenes):
        assert (stream, index) == divmod(k, GROUP)
        assert unpacked(packed.streams[stream])[index] == packed_scene(one)


def test_what_has_no_room_is_named_and_better_ones_go_first() -> None:
    from dataclasses import replace

    one = scene()
    scenes = [replace(one, id=f"s{k}") for k in range(3 * GROUP)]
    size = len(pack_scenes(scenes[:GROUP]).streams[0])
    packed = pack_scenes(scenes, most_bytes=2 * size)
    assert list(packed.places) == [s.id for s in scenes[: 2 * GROUP]]
    assert packed.left_out == [s.id for s in scenes[2 * GROUP :]]
