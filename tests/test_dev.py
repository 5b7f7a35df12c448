"""The commands of `dev` that need no network; setting up is tested by setting up."""

import subprocess
import sys
from importlib.machinery import SourceFileLoader
from importlib.util import module_from_spec, spec_from_loader
from pathlib import Path
from types import ModuleType

import pytest

ROOT = Path(__file__).parents[1]


@pytest.fixture
def dev(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    """The script as a module that takes an empty repository for its own."""
    loader = SourceFileLoader("dev", str(ROOT / "dev"))
    spec = spec_from_loader("dev", loader)
    assert spec is not None
    module = module_from_spec(spec)
    monkeypatch.setattr(sys, "dont_write_bytecode", True)
    loader.exec_module(module)
    monkeypatch.setattr(module, "ROOT", tmp_path)
    monkeypatch.setattr(module, "VENV", tmp_path / ".venv")
    monkeypatch.setattr(module, "PYTHON", tmp_path / ".venv" / "bin" / "python")
    monkeypatch.setattr(module, "STAMP", tmp_path / ".venv" / "khien.json")
    monkeypatch.setattr(module, "REQUIREMENTS", tmp_path / "requirements")
    subprocess.run(["git", "init", "--quiet", tmp_path], check=True)
    return module


@pytest.fixture
def made(dev: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """What setting up did, in an environment whose packages are not fetched."""
    steps: list[str] = []

    def create() -> None:
        steps.append("create")
        subprocess.run([sys.executable, "-m", "venv", "--without-pip", "--clear", dev.VENV], check=True)

    monkeypatch.setattr(dev, "create", create)
    monkeypatch.setattr(dev, "install_packages", steps.append)
    monkeypatch.setattr(dev, "install_khien", lambda: steps.append("khien"))
    (tmp_path / "pyproject.toml").write_text("[project]\n[build-system]\n")
    (tmp_path / "requirements").mkdir()
    for name in dev.LOCKS:
        (tmp_path / "requirements" / f"{name}.txt").write_text(name)
    return steps


def run(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, str(ROOT / "dev"), *arguments], capture_output=True, text=True)


def test_help_shows_every_verb_with_an_example(dev: ModuleType) -> None:
    said = run("--help").stdout
    assert all(f"\n    python3 dev {verb}" in said for verb in dev.VERBS)
    assert run("bench", "--help").stdout.startswith("bench ")


@pytest.mark.parametrize("arguments", [("dance",), ("setup", "everything"), ("bench", "nothing"), ("check", "x")])
def test_what_it_does_not_know_is_said_with_status_2(arguments: tuple[str, ...]) -> None:
    done = run(*arguments)
    assert done.returncode == 2
    assert done.stderr.startswith("dev: ")


def test_an_environment_is_made_once(dev: ModuleType, made: list[str]) -> None:
    assert [dev.prepare("run"), dev.prepare("run")] == [True, False]
    assert made == ["create", "run", "khien"]


def test_a_larger_lock_is_added_and_serves_the_run_time_too(dev: ModuleType, made: list[str]) -> None:
    assert [dev.prepare("run"), dev.prepare("dev"), dev.prepare("run")] == [True, True, False]
    assert made == ["create", "run", "khien", "dev"]


def test_a_changed_lock_is_installed_again(dev: ModuleType, made: list[str]) -> None:
    dev.prepare("run")
    (dev.REQUIREMENTS / "run.txt").write_text("other")
    assert dev.prepare("run")
    assert made == ["create", "run", "khien", "run"]


def test_what_is_left_out_is_of_packages_that_are_set_up(dev: ModuleType) -> None:
    locked = (ROOT / "requirements" / "run.txt").read_text()
    assert all(f"\n{each.split('/')[0]}==" in f"\n{locked}" for each in dev.UNUSED)


def test_an_interrupted_set_up_starts_anew(dev: ModuleType, made: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupted(_lock_name: str) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(dev, "install_packages", interrupted)
        with pytest.raises(KeyboardInterrupt):
            dev.prepare("run")
    assert dev.prepare("run")
    assert made == ["create", "create", "run", "khien"]


def test_an_environment_of_another_python_is_made_again(dev: ModuleType, made: list[str]) -> None:
    dev.prepare("run")
    dev.STAMP.write_text(dev.STAMP.read_text().replace("cpython", "another"))
    assert dev.prepare("run")
    assert made == ["create", "run", "khien", "create", "run", "khien"]


def test_an_environment_whose_python_is_gone_is_made_again(dev: ModuleType, made: list[str]) -> None:
    dev.prepare("run")
    dev.PYTHON.unlink()
    assert dev.prepare("run")
    assert made == ["create", "run", "khien", "create", "run", "khien"]


@pytest.mark.usefixtures("made")
def test_somebody_elses_environment_is_left_alone(dev: ModuleType, capsys: pytest.CaptureFixture[str]) -> None:
    dev.VENV.mkdir()
    (dev.VENV / "theirs").touch()
    with pytest.raises(SystemExit):
        dev.prepare("run")
    assert "was not made by dev" in capsys.readouterr().err
    assert (dev.VENV / "theirs").exists()


def test_a_step_is_named_when_it_begins(dev: ModuleType, capsys: pytest.CaptureFixture[str]) -> None:
    seen: list[str] = []
    wait = dev.wait

    def waited(process: subprocess.Popen[bytes]) -> int | None:
        seen.append(capsys.readouterr().err)
        return wait(process)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(dev, "wait", waited)
        dev.step("thinking", [sys.executable, "-c", ""])
    assert seen[0] == "dev: thinking ...\n"
    assert capsys.readouterr().err.startswith("dev: thinking 0.")


@pytest.mark.parametrize(
    ("what", "line"),
    [
        ("a private key", "-----BEGIN RSA " + "PRIVATE KEY-----"),
        ("an access token", "token = 'AKIA" + "ABCDEFGHIJKLMNOP'"),
        ("a path of one machine", "open('/" + "root/names.tsv')"),
        ("a path of one machine", "see /" + "home/an/khien"),
        ("the address of an index", "--index-url https" + "://mirror.example/pypi"),
        ("the address of an index", "https" + "://mirror.example/simple"),
    ],
)
def test_a_planted_leak_is_found(dev: ModuleType, tmp_path: Path, what: str, line: str) -> None:
    (tmp_path / "planted.txt").write_text(f"harmless\n{line}\n")
    assert list(dev.find_leaks()) == [f"planted.txt:2: {what}"]


def test_what_is_harmless_is_no_leak(dev: ModuleType, tmp_path: Path) -> None:
    (tmp_path / "fine.txt").write_text("https://example.vn/home/login a/tmp/b tmp_path ~/.cache work/life\n")
    assert list(dev.find_leaks()) == []
