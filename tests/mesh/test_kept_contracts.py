"""Contracts that are kept: the same as read anew, or read anew; and never what a batch is made by."""

from __future__ import annotations

import hashlib
import os
import pickle
from dataclasses import replace
from pathlib import Path

import pytest

from shared_resources import release
from shared_resources.contracts.model import Threshold
from shared_resources.mesh import kept_contracts, read_mesh
from shared_resources.mesh.kept_contracts import KeptContracts, platform_digest, read_contract_anew
from tests.distributions import install
from tests.light import imported_of
from tests.mesh_files import contract_text, write_product

ROOT = Path(__file__).resolve().parents[2]
CONTRACTS = [
    *sorted((ROOT / "domains").glob("*/products/*/contract.odcs.yaml")),
    ROOT / "tests/contracts/rich.odcs.yaml",
]


@pytest.fixture
def home(tmp_path: Path) -> Path:
    home = tmp_path / "home"
    home.mkdir()
    return home / "compiled"


@pytest.fixture
def contract(tmp_path: Path) -> Path:
    return write_product(tmp_path, "order/lines") / "contract.odcs.yaml"


@pytest.fixture
def compilations(monkeypatch: pytest.MonkeyPatch) -> list[Path]:
    """The contracts that were compiled since."""
    compiled: list[Path] = []
    compile_contract = kept_contracts.compile_contract
    monkeypatch.setattr(
        kept_contracts,
        "compile_contract",
        lambda source: (compiled.append(source.path), compile_contract(source))[1],
    )
    return compiled


@pytest.mark.parametrize("file", CONTRACTS, ids=lambda file: file.parent.name)
def test_a_kept_contract_is_the_contract(file: Path, home: Path, compilations: list[Path]) -> None:
    anew = read_contract_anew(file)
    del compilations[:]
    assert KeptContracts(home).read(file) == anew
    assert KeptContracts(home).read(file) == anew
    assert compilations == [file]
    # What equality leaves out is the same, too.
    assert repr(KeptContracts(home).read(file)) == repr(anew)


def test_a_changed_contract_is_compiled_again_and_kept_in_the_same_place(
    contract: Path, home: Path, compilations: list[Path]
) -> None:
    KeptContracts(home).read(contract)
    looked = contract.stat()
    contract.write_text(contract.read_text().replace("version: 1.0.0", "version: 1.0.1"))
    os.utime(contract, ns=(looked.st_atime_ns, looked.st_mtime_ns))
    assert KeptContracts(home).read(contract)[0].version == "1.0.1"
    assert KeptContracts(home).read(contract)[0].version == "1.0.1"
    assert len(compilations) == 2
    assert len(list(home.iterdir())) == 1


def test_another_platform_compiles_again(
    contract: Path, home: Path, compilations: list[Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    KeptContracts(home).read(contract)
    monkeypatch.setattr(kept_contracts, "platform_digest", lambda: b"another")
    KeptContracts(home).read(contract)
    assert len(compilations) == 2


def test_what_other_distributions_add_is_part_of_the_platform(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    alone = platform_digest.__wrapped__()
    folder = install(tmp_path / "site", "offices", "", rules="offices = offices:KIND")
    monkeypatch.syspath_prepend(str(folder))
    with_offices = platform_digest.__wrapped__()
    info = folder / "offices-1.0.dist-info"
    info.joinpath("METADATA").write_text("Metadata-Version: 2.1\nName: offices\nVersion: 1.1\n")
    newer = platform_digest.__wrapped__()
    assert len({alone, with_offices, newer, None}) == 4
    # Installed from a folder, its code may change and its version stay.
    info.joinpath("direct_url.json").write_text('{"url": "file:///x", "dir_info": {}}')
    assert platform_digest.__wrapped__() is None


def test_so_is_what_reads_contracts_and_every_byte_of_our_own(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = platform_digest.__wrapped__()
    with monkeypatch.context() as patched:
        patched.setattr(kept_contracts, "version_of", lambda name: f"another {name}")
        assert platform_digest.__wrapped__() != before
    assert platform_digest.__wrapped__() == before
    room = tmp_path / "room"
    room.mkdir()
    monkeypatch.setattr(release, "_PLATFORM", tmp_path)
    seen = set()
    for text in ("a = 1\n", "a = 2\n"):
        (room / "rules.py").write_text(text)
        os.utime(room / "rules.py", (1, 1))
        seen.add(release.code_digest.__wrapped__("room"))
    assert len(seen) == 2


def test_while_another_distribution_is_worked_on_nothing_is_kept(
    contract: Path, home: Path, compilations: list[Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(kept_contracts, "platform_digest", lambda: None)
    for _ in range(2):
        assert KeptContracts(home).read(contract)[0].key == "order/lines"
    assert len(compilations) == 2
    assert not home.exists()


class _Runs:
    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def __reduce__(self) -> tuple[object, ...]:
        return os.mkdir, (str(self.folder),)


# Pickles that name a class, or what makes parts, and set an attribute of it.
_NAMED = {
    "a class": b"cshared_resources.contracts.model\nThreshold\n",
    "of the interpreter": b"cdecimal\nDecimal\n",
    "a path": b"cpathlib\nPosixPath\n",
    "what makes parts": b"cshared_resources.mesh.kept_contracts\nMAKE\n",
}
_SETTING_A_CLASS = [name + b"(N}Vholds\ncdatetime\ntimedelta\nstb." for name in _NAMED.values()]


def with_pickle(kept: Path, content: bytes) -> bytes:
    return kept.read_bytes()[:32] + hashlib.sha256(content).digest() + content


def forged(kept: Path, made: object) -> bytes:
    """The kept file with something else in it, and its digest right."""
    content = kept_contracts._pickled(made) if isinstance(made, tuple) else pickle.dumps(made)  # type: ignore[arg-type]
    return kept.read_bytes()[:32] + hashlib.sha256(content).digest() + content


def test_a_damaged_or_forged_file_is_nothing_but_made_again(
    contract: Path, home: Path, tmp_path: Path
) -> None:
    anew = KeptContracts(home).read(contract)
    (kept,) = home.iterdir()
    sound = kept.read_bytes()
    bad = [b"", sound[:10], sound[:32], sound[:64], sound[:-1], sound[:64] + b"\x80\x05" * 9]
    bad += [
        sound[:at] + bytes([sound[at] ^ 1]) + sound[at + 1 :] for at in range(0, len(sound), 97)
    ]
    bad += [forged(kept, made) for made in (_Runs(tmp_path / "ran"), os.getcwd, KeptContracts)]
    bad += [forged(kept, made) for made in (anew[0], [*anew], (None, {}), (*anew, 1), b"", 7)]
    bad += [with_pickle(kept, made) for made in _SETTING_A_CLASS]
    for content in bad:
        kept.write_bytes(content)
        assert KeptContracts(home).read(contract) == anew, content[:60]
        assert kept.read_bytes() == sound
    assert not (tmp_path / "ran").exists()
    assert Threshold().holds(0, 1) and not Threshold().holds(5, 100)


def test_what_is_wrong_with_a_contract_is_found_each_time(tmp_path: Path, home: Path) -> None:
    wrong = contract_text("order/lines", landing=True).replace("status: active", "status: alive")
    write_product(tmp_path, "order/lines", wrong)
    anew = read_mesh(tmp_path).findings
    assert len(anew) == 1
    for _ in range(2):
        assert read_mesh(tmp_path, KeptContracts(home)).findings == anew
    missing = read_mesh(tmp_path / "nowhere", KeptContracts(home))
    assert missing.products == ()


@pytest.mark.parametrize("writable", [False, None])
def test_where_nothing_can_be_kept_all_is_read(
    contract: Path, home: Path, writable: bool | None, compilations: list[Path]
) -> None:
    if writable is None:
        home = home.parent / "never" / "made" / "compiled"
    else:
        home.write_text("a file where the folder would be")
    for _ in range(2):
        assert KeptContracts(home).read(contract)[0].key == "order/lines"
    assert not home.is_dir()
    assert len(compilations) == 2


def test_a_domain_that_is_read_anew_takes_nothing_from_what_was_kept(
    tmp_path: Path, home: Path
) -> None:
    write_product(tmp_path, "order/baskets", lines="stock/items")
    for key in ("order/lines", "stock/items", "sales/daily"):
        file = write_product(tmp_path, key) / "contract.odcs.yaml"
        contract, lines = KeptContracts(home).read(file)
        (kept,) = (one for one in home.iterdir() if f"{file}".encode() in one.read_bytes())
        kept.write_bytes(forged(kept, (replace(contract, rules=()), lines)))
    mesh = read_mesh(tmp_path, KeptContracts(home), anew="order")
    rules = {one.key: one.contract.rules for one in mesh.products if one.contract}
    assert rules["order/lines"]
    assert rules["stock/items"], "what decides whether its readers are stopped is not looked up"
    assert not rules["sales/daily"]


def test_what_cannot_be_kept_is_read_all_the_same(
    contract: Path, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def unpicklable(read: object) -> bytes:
        raise TypeError("cannot pickle 'mappingproxy' object")

    monkeypatch.setattr(kept_contracts, "_pickled", unpicklable)
    assert KeptContracts(home).read(contract)[0].key == "order/lines"


def test_reading_kept_contracts_needs_no_engine() -> None:
    script = "import shared_resources.mesh.kept_contracts"
    assert imported_of(["duckdb", "pandas", "polars", "dagster"], script) == []
