"""The benchmark of workers that have a fixed share of a core each: the shares, and the table."""

import shutil
from pathlib import Path

import pytest

from benchmarks.scaling import Sample, table
from benchmarks.shares import PERIOD_US, NoShares, shares

PID = 4711


@pytest.fixture
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder whose groups go with what is in them, as the kernel's do."""
    monkeypatch.setattr(Path, "rmdir", shutil.rmtree)
    return tmp_path


def written(folder: Path) -> dict[str, str]:
    """What stands in its files."""
    return {path.name: path.read_text() for path in folder.iterdir() if path.is_file()}


def test_a_share_is_a_quota_of_the_second_version(root: Path) -> None:
    """The controller is switched on for those below, and each process is in a group of its own, until the end."""
    with shares([PID], 0.2, root=root):
        assert written(root) == {"cgroup.subtree_control": "+cpu"}
        [group] = [path for path in root.iterdir() if path.is_dir()]
        assert written(group) == {"cpu.max": f"{PERIOD_US // 5} {PERIOD_US}", "cgroup.procs": str(PID)}
    assert not group.exists()
    assert written(root)["cgroup.procs"] == str(PID)


def test_a_share_is_a_quota_of_the_first_version(root: Path) -> None:
    """Period and quota stand apart there, below the controller's own folder."""
    controller = root / "cpu"
    controller.mkdir()
    (controller / "cpu.cfs_quota_us").write_text("-1")
    with shares([PID, PID + 1], 0.5, root=root):
        groups = sorted(path for path in controller.iterdir() if path.is_dir())
        assert [written(group) for group in groups] == [
            {
                "cpu.cfs_period_us": str(PERIOD_US),
                "cpu.cfs_quota_us": str(PERIOD_US // 2),
                "cgroup.procs": str(process),
            }
            for process in (PID, PID + 1)
        ]
    assert [path for path in controller.iterdir() if path.is_dir()] == []


def test_a_machine_without_shares_says_so(root: Path) -> None:
    """Neither version is there."""
    with pytest.raises(NoShares, match="no processor controller that we may use"), shares([PID], 0.2, root=root / "no"):
        pass


def test_two_workers_stand_beside_one() -> None:
    """Medians of the rounds, every second line as a multiple of the one above, answered and written."""
    found = {
        "SQLite, --workers 1": [
            Sample(per_second=each, booked_per_second=each / 2, used=0.99) for each in (90.0, 100.0, 400.0)
        ],
        "SQLite, --workers 2": [Sample(per_second=190.0, booked_per_second=90.0, used=1.0)],
    }
    head, one, two, *_ = table(found, share=0.2, rounds=3, seconds=1).splitlines()
    assert head.split() == ["answers/s", "x", "with", "their", "rows/s", "x", "share", "used"]
    assert one.split()[3:] == ["100", "1.00", "50", "1.00", "99%"]
    assert two.split()[3:] == ["190", "1.90", "90", "1.80", "100%"]
