"""Headers of files of weights: what is read, how much of it, and every kind of damage."""

from __future__ import annotations

import io
import json
import os
import pickle
import random
import resource
import struct
import subprocess
import sys
import zipfile
from collections import OrderedDict
from collections.abc import Callable
from pathlib import Path
from typing import Any

import checkpoint_files as files
import needs
import pytest
import torch
from conftest import ROOT, SEED
from hypothesis import given, settings
from hypothesis import strategies as st
from limits import within

from surveykit.catalog.load import Catalog
from surveykit.checkpoints import Tensor, pickled, read
from surveykit.errors import CheckpointError

SMALL: files.Shapes = {"a.weight": (3, 4), "b.weight": (5,), "c.weight": ()}
EXPECTED = {name: Tensor("F32", shape) for name, shape in SMALL.items()}


def state() -> dict[str, torch.Tensor]:
    return {name: torch.zeros(shape) for name, shape in SMALL.items()}


def test_the_published_size_of_t5_small_to_the_byte(catalog: Catalog, tmp_path: Path) -> None:
    t5 = catalog.models["t5-small"]
    path = files.safetensors(tmp_path / "model.safetensors", files.t5_shapes(t5))
    assert path.stat().st_size == 242_043_056
    header = read(str(tmp_path))
    assert len(header.tensors) == 132
    assert header.numbers == t5.parameters + 32 * 8 == 60_506_880
    without = files.safetensors(tmp_path / "without.safetensors", files.t5_shapes(t5, leftover=False))
    assert 242_043_056 - without.stat().st_size == 1160  # so the leftover is in the published file


def test_the_published_size_of_t5_base_to_its_layout(catalog: Catalog, tmp_path: Path) -> None:
    """The header of 891,646,390 bytes is no multiple of 8, so it is laid out in another way, which is not known to us.
    The tensors fit its size to 6 bytes; without the leftover it would be 1,678 bytes off."""
    shapes = files.t5_shapes(catalog.models["t5-base"])
    size = files.safetensors(tmp_path / "model.safetensors", shapes).stat().st_size
    assert 891_646_390 - size == 6
    del shapes[files.LEFTOVER]
    assert 891_646_390 - files.safetensors(tmp_path / "model.safetensors", shapes).stat().st_size == 1678


@pytest.mark.parametrize("protocol", [2, 4])
@pytest.mark.parametrize("old", [False, True])
def test_a_pytorch_file_gives_what_torch_gives(tmp_path: Path, old: bool, protocol: int) -> None:
    big = torch.zeros(6, 10)
    saved = OrderedDict(
        plain=torch.zeros(2, 3), half=torch.zeros(4, dtype=torch.float16), brain=torch.zeros(4, dtype=torch.bfloat16),
        positions=torch.arange(5)[None], mask=torch.ones(2, dtype=torch.bool), scalar=torch.tensor(1.0),
        empty=torch.zeros(0, 3), view=big[2:4, 1:5], turned=big.T, parameter=torch.nn.Parameter(torch.zeros(7)),
    )  # fmt: skip
    if not old:
        saved["eighth"] = torch.zeros(3, dtype=torch.float8_e4m3fn)
    saved._metadata = OrderedDict({"": {"version": 1}})  # type: ignore[attr-defined]  # as nn.Module.state_dict leaves it
    path = tmp_path / "pytorch_model.bin"
    torch.save(saved, path, pickle_protocol=protocol, _use_new_zipfile_serialization=not old)
    found = read(str(path)).tensors
    assert {name: t.shape for name, t in found.items()} == {name: tuple(t.shape) for name, t in saved.items()}
    assert [t.dtype for t in found.values()] == [
        "F32", "F16", "BF16", "I64", "BOOL", "F32", "F32", "F32", "F32", "F32", *([] if old else ["F8_E4M3"]),
    ]  # fmt: skip


class Counting(io.FileIO):
    taken = 0

    def read(self, size: int | None = -1) -> Any:
        found = super().read(size)
        self.taken += len(found or b"")
        return found

    def readinto(self, buffer: Any) -> Any:
        found = super().readinto(buffer)
        self.taken += found or 0
        return found


@pytest.mark.parametrize("old", [False, True])
def test_storages_are_not_read(tmp_path: Path, old: bool) -> None:
    path = tmp_path / "pytorch_model.bin"
    torch.save({"a": torch.zeros(2**22)}, path, _use_new_zipfile_serialization=not old)
    with Counting(path) as raw, io.BufferedReader(raw) as file:
        assert pickled.tensors_of(file, "it") == {"a": Tensor("F32", (2**22,))}
        assert raw.taken < 100_000 < path.stat().st_size


def test_45_gigabytes_are_read_in_little_memory(catalog: Catalog, tmp_path: Path) -> None:
    path = files.old_pickle(tmp_path / "pytorch_model.bin", files.t5_shapes(catalog.models["t5-11b"]))
    assert path.stat().st_size > 45e9
    if os.stat(path).st_blocks * 512 > 1e9:
        pytest.skip(needs.HOLES)
    code = (
        "import resource, sys; from surveykit.checkpoints import read; read('.')\n"  # all that is imported on the way
        "limit = int(open('/proc/self/statm').read().split()[0]) * resource.getpagesize() + 2**26\n"
        "resource.setrlimit(resource.RLIMIT_AS, (limit, limit)); print(len(read(sys.argv[1]).tensors))"
    )
    assert hasattr(resource, "RLIMIT_AS")
    files.safetensors(tmp_path / "model.safetensors", SMALL)
    run = subprocess.run(
        [sys.executable, "-c", code, str(path)], capture_output=True, text=True, check=False, cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
    )  # fmt: skip
    assert run.stdout == "510\n", run.stderr


class Evil:
    def __reduce__(self) -> Any:
        return os.system, ("touch harm",)


@pytest.mark.parametrize("old", [False, True])
def test_a_pickle_that_would_run_something_is_refused_and_not_run(
    tmp_path: Path, old: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    torch.save({"a": torch.zeros(2), "b": Evil()}, "pytorch_model.bin", _use_new_zipfile_serialization=not old)
    with pytest.raises(CheckpointError, match=r"names posix\.system, which no tensor needs; it is refused"):
        read(str(tmp_path))
    assert not Path("harm").exists()
    with open("pytorch_model.bin", "rb") as file:  # the same file does harm to those who unpickle it
        torch.load(file, weights_only=False)
    assert Path("harm").exists()


NET = b"\x80\x02X\x01\x00\x00\x00aq\x00" + b"".join(
    b"h%ch%c\x86q%c" % (i, i, i + 1) for i in range(60)
)  # fmt: skip
"""A tuple of two tuples, each of the same two, sixty times over: small, and larger than any memory once written out."""


@pytest.mark.parametrize(
    ("program", "said"),
    [
        (NET + b"h\x00\x93.", "damaged one (STACK_GLOBAL requires str)"),
        (
            NET + b"(X\x07\x00\x00\x00storagectorch\nFloatStorage\nh\x3cX\x03\x00\x00\x00cpuK\x01tQ.",
            "a name that is not text",
        ),
        (NET + b"(h\x3cctorch\nFloatStorage\nh\x00X\x03\x00\x00\x00cpuK\x01tQ.", "a storage of an unknown kind"),
        (NET + b"}h\x3cK\x01s.", "a name that is not text"),
        (b"\x80\x02}X\xa0\x86\x01\x00" + b"a" * 100_000 + b"K\x01s.", "not text of at most 1,000 characters"),
        (b"c" + b"a" * 100_000 + b"\nb\n.", "aaaa, which no tensor needs"),
        (NET + b"ccollections\nOrderedDict\n]h\x3cK\x01\x86a\x85R.", "damaged"),
        (NET + b"h\x3c)R.", "'tuple' object is not callable"),
        (b"ctorch._utils\n_rebuild_tensor\n}X\x08\x00\x00\x00__code__K\x01sb.", "holds no state dict"),
        (b"cbuiltins\nbytearray\nJ\xff\xff\xff\x7f\x85R.", "names builtins.bytearray"),
        (b"\x80\x02" + b"(" * 400_000 + b"t" * 400_000 + b".", "holds no state dict"),
        (b"\x80\x02U\xff" + b"x" * 2**24 + b".", "it has more than 16,777,216 bytes of instructions"),
        (b"\x80\x02" + b"}" * 2_100_000 + b".", "it has more than 2,000,000 instructions"),
        (b"cbuiltins\neval\n(S'1'\ntR.", "names builtins.eval"),
        (b"\x80\x04\x8c\x02os\x8c\x06system\x93.", "names os.system"),
        (b"(ios\nsystem\n.", "the instruction INST"),
        (b"ccollections\nOrderedDict\n)\x81.", "the instruction NEWOBJ"),
        (b"\x80\x02\x82\x01.", "the instruction EXT1"),
        (b"c\x1b[2J\nx\n.", r"names '\x1b[2J.x'"),
        (b"\x80\x02t.", "damaged one (pop from empty list)"),
        (b"\x80\x05\x96" + (2**40).to_bytes(8, "little") + b"x.", "the instruction BYTEARRAY8"),
        (b"\x80\x04\x95" + (2**40).to_bytes(8, "little") + b"}" * 2_100_000, "it has more than 2,000,000 instructions"),
        (b"\x80\x02\x00.", "its pickle has an instruction 0, which does not exist"),
        (b"\x80\x02X\xff\xff\xff\x7fx.", "damaged"),
        (b"\x80\x02}q\x00", "damaged"),
        (b"\x80\x02]r\xff\xff\xff\x7f.", "holds no state dict"),
        (b"\x80\x02}X\x01\x00\x00\x00aK\x01s.", "holds 'a', which is not a tensor"),
        (b"\x80\x02" + b"(" * 1000 + b"t" * 1000 + b".", "holds no state dict"),
        (b"ctorch._utils\n_rebuild_tensor_v2\n(K\x01K\x00K\x01K\x01tR.", "damaged"),
    ],
)
def test_hostile_pickles_are_one_line(tmp_path: Path, program: bytes, said: str) -> None:
    path = tmp_path / "pytorch_model.bin"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("archive/data.pkl", program)
    with pytest.raises(CheckpointError) as caught, within(10):
        read(str(path))
    assert said in str(caught.value)
    assert "\n" not in str(caught.value)


def test_an_archive_with_an_endless_list_of_contents_is_refused(tmp_path: Path) -> None:
    """The last bytes of the file say that gigabytes before them are names of files in it."""
    path = tmp_path / "pytorch_model.bin"
    size = 2**32 - 2**16
    end = struct.pack("<4s4H2LH", b"PK\x05\x06", 0, 0, 1, 1, size, 0, 0)
    with path.open("wb") as file:
        file.write(b"PK\x03\x04")
        file.seek(size)
        file.write(end)
    with path.open("rb") as file, pytest.raises(CheckpointError, match="it has more than 16,777,216 bytes"), within(10):
        pickled.tensors_of(file, "it")


def test_keys_of_storages_that_are_no_text_do_not_hang(tmp_path: Path) -> None:
    path = tmp_path / "pytorch_model.bin"
    with path.open("wb") as file:
        for value in (0x1950A86A20F9469CFC6C, 1001, {}, {}):
            pickle.dump(value, file, protocol=2)
        file.write(NET + b"]h\x3ca.")
    with within(10):
        assert read(str(path)).tensors == {}


@given(place=st.integers(0, 400), byte=st.integers(0, 255))
@settings(max_examples=150, deadline=None)
def test_a_changed_byte_of_a_pickle_is_read_or_refused(place: int, byte: int) -> None:
    saved = io.BytesIO()
    torch.save(state(), saved, _use_new_zipfile_serialization=False)
    content = bytearray(saved.getvalue())
    content[place % len(content)] = byte
    try:
        found = pickled.tensors_of(io.BytesIO(bytes(content)), "it")
    except CheckpointError:
        return
    assert all(isinstance(tensor, Tensor) for tensor in found.values())


TRIES = int(os.environ.get("SURVEYKIT_FUZZ", "200"))


@pytest.mark.parametrize("kind", ["safetensors", "archive", "row of pickles"])
def test_a_spoilt_file_is_read_or_refused(tmp_path: Path, kind: str) -> None:
    """Bytes are changed, cut out and repeated; lengths, shapes and offsets become huge."""
    path = tmp_path / ("model.safetensors" if kind == "safetensors" else "pytorch_model.bin")
    if kind == "safetensors":
        files.safetensors(path, SMALL)
    else:
        torch.save(state(), path, _use_new_zipfile_serialization=kind == "archive")
    whole = path.read_bytes()
    for number in range(TRIES):
        chance = random.Random(f"{SEED}-{kind}-{number}")
        data = bytearray(whole)
        for _ in range(chance.choice([1, 1, 3])):
            at = chance.randrange(len(data))
            piece = chance.choice(
                [b"", bytes([chance.randrange(256)]), b"\xff" * 8, b"9" * 30, b"[", data[: chance.randrange(40)]]
            )
            data[at : at + chance.choice([0, 1, 8])] = piece
        path.write_bytes(data)
        try:
            with within(10):
                read(str(path))
        except CheckpointError:
            continue
        except BaseException as error:
            pytest.fail(f"{number}: {type(error).__name__}: {error}")


def changed_header(**changes: Any) -> Callable[[Path], None]:
    """A file whose first tensor's entry says something else."""

    def make(folder: Path) -> None:
        path = files.safetensors(folder / "model.safetensors", SMALL)
        header = files.entries(SMALL)
        size = path.stat().st_size - len(files.packed(header))
        header["a.weight"] |= changes
        path.write_bytes(files.packed(header) + bytes(size))

    return make


def content(data: bytes, name: str = "model.safetensors") -> Callable[[Path], None]:
    def make(folder: Path) -> None:
        (folder / name).write_bytes(data)

    return make


def cut(by: int, pickle_too: bool = False, old: bool = False) -> Callable[[Path], None]:
    def make(folder: Path) -> None:
        path = folder / ("pytorch_model.bin" if pickle_too else "model.safetensors")
        if pickle_too:
            torch.save(state(), path, _use_new_zipfile_serialization=not old)
        else:
            files.safetensors(path, SMALL)
        os.truncate(path, path.stat().st_size - by)

    return make


def sharded(change: Callable[[Path, dict[str, str]], None], pickle_too: bool = False) -> Callable[[Path], None]:
    def make(folder: Path) -> None:
        index = files.shards(folder, SMALL, 2, pickled=pickle_too)
        placed = json.loads(index.read_text())["weight_map"]
        change(folder, placed)
        files.index(index, placed)

    return make


def stored_short(folder: Path) -> None:
    """An archive of torch whose storage has not the numbers that its pickle speaks of."""
    torch.save(state(), folder / "whole.bin")
    with zipfile.ZipFile(folder / "whole.bin") as whole, zipfile.ZipFile(folder / "pytorch_model.bin", "w") as short:
        for name in whole.namelist():
            data = whole.read(name)
            short.writestr(name, data[:8] if name.endswith("data/0") else data)


def unpacking(folder: Path) -> None:
    with zipfile.ZipFile(folder / "pytorch_model.bin", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("archive/data.pkl", b"}" * 60_000_000)


FIRST = "model-00001-of-00002.safetensors"
DAMAGE: dict[str, tuple[Callable[[Path], None], str]] = {
    "empty folder": (lambda folder: None, "no weights there: none of model.safetensors, "),
    "zero bytes": (content(b""), "0 bytes are too few for a safetensors file"),
    "three bytes": (content(b"abc"), "3 bytes are too few"),
    "truncated header": (content(files.packed(files.entries(SMALL))[:60]), "it is cut off"),
    "huge header": (content((2**60).to_bytes(8, "little") + b"{}"), "at most 25,000,000 are read"),
    "header that is not JSON": (content(files.packed("x")[:8] + b"not json"), "its header is not JSON"),
    "header nested without end": (content((10**5).to_bytes(8, "little") + b"[" * 10**5), "its header is not JSON"),
    "shape that multiplies to a long text": (
        content(files.packed({"a": {"dtype": "F32", "shape": ["x", 8589934592], "data_offsets": [0, 0]}})),
        "a has a shape or place that is not a list of whole numbers",
    ),
    "header that is a list": (content(files.packed([1])), "it has no safetensors header"),
    "entry that is a word": (content(files.packed({"a": "b"})), "the header's entry of a is not a tensor"),
    "entry without a shape": (content(files.packed({"a": {"dtype": "F32"}})), "the header's entry of a is not a tensor"),
    "cut weights": (cut(4), "the header describes 304 bytes, the file has 300; it is cut off or damaged"),
    "offsets beyond the file": (changed_header(data_offsets=[0, 4800]), "a.weight is F32 3×4, 48 bytes, but has 4,800"),
    "wrong dtype": (changed_header(dtype="F16"), "a.weight is F16 3×4, 24 bytes, but has 48 in the file"),
    "wrong shape": (changed_header(shape=[3, 5]), "a.weight is F32 3×5, 60 bytes, but has 48 in the file"),
    "negative shape": (changed_header(shape=[-3, -4]), "a.weight has a shape or place that is not a list of whole numbers"),
    "shape of words": (changed_header(shape=["3", "4"]), "a.weight has a shape or place that is not a list"),
    "control characters": (
        lambda folder: files.safetensors(folder / "model.safetensors", {"a\x1b[2J": (1,)}),
        "the header has control characters in the entry of 'a\\x1b[2J'",
    ),
    "control characters in a pickle": (
        lambda folder: torch.save({"a\nb": torch.zeros(1)}, folder / "pytorch_model.bin"), "it holds 'a\\nb', which is not a tensor",
    ),
    "tensors over another": (changed_header(data_offsets=[8, 56]), "a.weight starts at byte 8, where 0 should follow"),
    "a directory": (lambda folder: (folder / "model.safetensors").mkdir(), "is not a regular file"),
    "a pipe": (lambda folder: os.mkfifo(folder / "model.safetensors"), "is not a regular file"),
    "a pipe instead of a pickle": (lambda folder: os.mkfifo(folder / "pytorch_model.bin"), "is not a regular file"),
    "a device": (lambda folder: (folder / "model.safetensors").symlink_to("/dev/zero"), "is not a regular file"),
    "a loop of links": (
        lambda folder: (folder / "model.safetensors").symlink_to("model.safetensors"), "Too many levels of symbolic links",
    ),
    "a pipe instead of a configuration": (
        lambda folder: (files.safetensors(folder / "model.safetensors", SMALL), os.mkfifo(folder / "config.json")),
        "is not a regular file",
    ),
    "pointer of git": (content(b"version https://git-lfs.github.com/spec/v1\noid sha256:0\n"), "run git lfs pull"),
    "missing shard": (sharded(lambda f, p: (f / FIRST).unlink()), f"it names {FIRST}, which is missing"),
    "tensor not in its shard": (sharded(lambda f, p: p.update(x=FIRST)), f"x should be in {FIRST} and is not"),
    "tensor that no index names": (sharded(lambda f, p: p.pop("a.weight")), f"{FIRST} also holds a.weight"),
    "shard outside": (sharded(lambda f, p: p.update(x="../../etc/passwd")), "'../../etc/passwd', which is not a file"),
    "index without a map": (content(b"{}", "model.safetensors.index.json"), "it has no weight_map"),
    "index that is not JSON": (content(b"{", "model.safetensors.index.json"), "is not JSON"),
    "missing shard of a pickle": (
        sharded(lambda f, p: (f / "pytorch_model-00002-of-00002.bin").unlink(), pickle_too=True), "which is missing",
    ),
    "cut pickle": (cut(40, pickle_too=True), "pytorch_model.bin: the archive is cut off or damaged"),
    "cut old pickle": (cut(1, pickle_too=True, old=True), "it is cut off or damaged: with its storages it should have"),
    "empty pickle": (content(b"", "pytorch_model.bin"), "not a PyTorch file, or a damaged one"),
    "a page instead": (content(b"<!DOCTYPE html>", "pytorch_model.bin"), "not a PyTorch file, or a damaged one"),
    "any other pickle": (content(pickle.dumps({"a": 1}), "pytorch_model.bin"), "not a file written by torch.save"),
    "an archive that unpacks to gigabytes": (unpacking, "data.pkl is compressed, so it was not written by torch.save"),
    "any other archive": (content(b"PK\x05\x06" + bytes(18), "pytorch_model.bin"), "the archive holds no data.pkl"),
    "short storage": (stored_short, "the storage of a.weight has 8 bytes, where 48 bytes should be"),
    "config that is not JSON": (
        lambda folder: (files.safetensors(folder / "model.safetensors", SMALL), content(b"{", "config.json")(folder)),
        "config.json is not JSON",
    ),
}  # fmt: skip


@pytest.mark.parametrize("kind", DAMAGE)
def test_damage_is_one_line_that_names_the_file(tmp_path: Path, kind: str) -> None:
    make, said = DAMAGE[kind]
    make(tmp_path)
    with pytest.raises(CheckpointError) as caught:
        read(str(tmp_path))
    assert said in str(caught.value)
    assert str(caught.value).startswith(str(tmp_path))
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("pickle_too", [False, True])
def test_shards_are_read_together(tmp_path: Path, pickle_too: bool) -> None:
    files.shards(tmp_path, SMALL, 2, pickled=pickle_too)
    header = read(str(tmp_path))
    assert dict(header.tensors) == EXPECTED
    assert len(header.files) == 2


def test_safetensors_come_before_a_pytorch_file_and_it_is_said(tmp_path: Path) -> None:
    files.safetensors(tmp_path / "model.safetensors", SMALL)
    (tmp_path / "pytorch_model.bin").write_bytes(b"not even looked at")
    header = read(str(tmp_path))
    assert dict(header.tensors) == EXPECTED
    assert header.notes == ("model.safetensors was read, pytorch_model.bin beside it was not",)


def test_the_hubs_cache_tells_hash_and_commit(tmp_path: Path) -> None:
    commit, sha256 = "a" * 40, "b" * 64
    (tmp_path / "blobs").mkdir()
    snapshot = tmp_path / "snapshots" / commit
    snapshot.mkdir(parents=True)
    files.safetensors(tmp_path / "blobs" / sha256, SMALL)
    (snapshot / "model.safetensors").symlink_to(tmp_path / "blobs" / sha256)
    header = read(str(snapshot))
    assert (header.revision, header.files[0].sha256) == (commit, sha256)
    files.safetensors(tmp_path / "model.safetensors", SMALL)
    assert read(str(tmp_path)).files[0].sha256 is None  # nobody has computed it


@pytest.mark.parametrize("source", ["./nowhere", "/no/where", "~/nowhere-at-all", "a/b/c", "model.safetensors"])
def test_a_path_is_not_looked_for_on_the_hub(source: str) -> None:
    with pytest.raises(CheckpointError, match="there is no folder"):
        read(source)


def test_a_folder_has_no_revisions(tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match="has no revisions; remove --revision main"):
        read(str(tmp_path), "main")
