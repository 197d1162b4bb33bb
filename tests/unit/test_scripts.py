"""The two commands of the README, run in a copy of the project where every program is a fake."""

from __future__ import annotations

import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
SHELL_FILES = [
    "scripts/demo",
    "scripts/test",
    ".ci/run",
    *(f"scripts/lib/{path.name}" for path in sorted((ROOT / "scripts/lib").glob("*.sh"))),
]

# Makes environments like `python -m venv` would, and writes down what pip is asked for.
FAKE_PYTHON = f"""#!/bin/bash
case "$1 $2" in
  "-m venv")
    venv=${{@: -1}}
    mkdir -p "$venv/bin" && touch "$venv/pyvenv.cfg"
    cp "$0" "$venv/bin/python"
    cp "$FAKES"/{{orch,ruff,mypy,lint-imports,pytest}} "$venv/bin/" ;;
  "-m pip") echo "pip $*" >>"$FAKES/log" ;;
  *) exec {sys.executable} "$@" ;;
esac
"""
# Says what it was called with; exits 1 when its name is in $BROKEN.
FAKE_TOOL = """#!/bin/bash
name=${0##*/}
said="[missing: ${ORCH_TEST_MISSING-}] [offline: ${HF_HUB_OFFLINE-}]"
echo "$name $* $said [no bytecode: ${PYTHONDONTWRITEBYTECODE-}]" | tee -a "$FAKES/log"
[[ " ${BROKEN-} " != *" $name "* ]]
"""
# An engine that answers for as long as its dockerd lives.
FAKE_DOCKER = '#!/bin/bash\n[[ -e "$FAKES/engine" ]]\n'
FAKE_DOCKERD = """#!/bin/bash
trap 'rm "$FAKES/engine"; echo "dockerd stopped" >>"$FAKES/log"; exit 0' TERM
touch "$FAKES/engine"
echo "dockerd started" >>"$FAKES/log"
while :; do sleep 0.05; done
"""
FAKE_ID = '#!/bin/bash\n[[ $1 == -un ]] && echo somebody || echo "$FAKE_UID"\n'
Result = subprocess.CompletedProcess[str]
TOOLS = ["orch", "ruff", "mypy", "lint-imports", "pytest"]
TOOLS += ["sshd", "dropbear", "debootstrap", "tc", "iptables"]


@dataclass(frozen=True, slots=True)
class Project:
    """A copy of the scripts in a folder of its own, with fakes in front of PATH."""

    root: Path
    fakes: Path

    def run(self, script: str, *arguments: str, **variables: str) -> Result:
        environment = {
            "PATH": f"{self.fakes}:/usr/bin:/bin",
            "HOME": str(self.root),
            "TMPDIR": str(self.fakes),
            "FAKES": str(self.fakes),
            "FAKE_UID": "1000",
            "ORCH_PYTHON": str(self.fakes / "python"),
        }
        return subprocess.run(
            [self.root / script, *arguments],
            env=environment | variables,
            capture_output=True,
            text=True,
            check=False,
        )

    def log(self) -> list[str]:
        return (self.fakes / "log").read_text().splitlines()

    def fake(self, name: str, text: str) -> None:
        path = self.fakes / name
        path.write_text(text)
        path.chmod(0o755)


@pytest.fixture
def project(tmp_path: Path) -> Project:
    root, fakes = tmp_path / "project", tmp_path / "fakes"
    fakes.mkdir()
    for name in (*SHELL_FILES, "constraints.txt", "pyproject.toml"):
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(ROOT / name, root / name)
    project = Project(root, fakes)
    for name in TOOLS:
        project.fake(name, FAKE_TOOL)
    project.fake("python", FAKE_PYTHON)
    project.fake("docker", FAKE_DOCKER)
    project.fake("dockerd", FAKE_DOCKERD)
    project.fake("id", FAKE_ID)
    return project


def names(lines: list[str]) -> list[str]:
    return [line.split()[0] for line in lines]


@pytest.mark.parametrize("name", SHELL_FILES)
def test_bash_can_read_it(name: str) -> None:
    subprocess.run(["bash", "-n", ROOT / name], check=True)


@pytest.mark.parametrize("name", ["scripts/demo", "scripts/test"])
def test_help_prints_usage_and_makes_nothing(project: Project, name: str) -> None:
    result = project.run(name, "--help")
    assert (result.returncode, result.stderr) == (0, "")
    assert result.stdout.startswith(f"usage: {name} ")
    assert not (project.root / ".venv").exists()


def test_demo_deploys_to_the_simulated_fleet_with_the_options_given(project: Project) -> None:
    result = project.run("scripts/demo", "--json")
    assert result.returncode == 0
    assert result.stdout.startswith("orch deploy --fleet sim --json ")
    assert result.stdout.count("\n") == 1


def test_the_second_run_installs_nothing(project: Project) -> None:
    project.run("scripts/demo")
    project.run("scripts/demo")
    assert names(project.log()) == ["pip", "orch", "orch"]


@pytest.mark.parametrize("name", ["constraints.txt", "pyproject.toml"])
def test_a_changed_requirement_is_installed(project: Project, name: str) -> None:
    project.run("scripts/demo")
    with (project.root / name).open("a") as file:
        file.write("# changed\n")
    project.run("scripts/demo")
    assert names(project.log()) == ["pip", "orch", "pip", "orch"]


def test_the_demo_is_content_with_the_environment_of_the_tests(project: Project) -> None:
    project.run("scripts/test", "--fast")
    project.run("scripts/demo")
    assert names(project.log()).count("pip") == 1


def test_the_versions_are_those_of_the_constraints(project: Project) -> None:
    project.run("scripts/test", "--fast")
    constraints = project.root / "constraints.txt"
    assert f"-c {constraints} -e {project.root}[all,dev]" in project.log()[0]


def test_a_failed_install_leaves_nothing_to_trust(project: Project) -> None:
    project.fake("python", FAKE_PYTHON.replace('"-m pip") ', '"-m pip") [[ -z ${BROKEN-} ]] && '))
    before = (project.root / "constraints.txt").read_text()
    project.run("scripts/demo")
    (project.root / "constraints.txt").write_text("# changed\n")
    failure = project.run("scripts/demo", BROKEN="pip")
    assert (failure.returncode, "environment: pip failed" in failure.stderr) == (2, True)
    (project.root / "constraints.txt").write_text(before)
    project.run("scripts/demo")
    assert names(project.log()) == ["pip", "orch", "pip", "orch"]


def test_a_folder_that_is_no_environment_is_left_alone(project: Project, tmp_path: Path) -> None:
    precious = tmp_path / "thesis.txt"
    precious.write_text("years of work")
    result = project.run("scripts/demo", ORCH_VENV=str(tmp_path))
    assert "is not a virtual environment" in result.stderr
    assert precious.read_text() == "years of work"


def test_an_old_python_is_named_in_one_line(project: Project) -> None:
    project.fake("old", "#!/bin/bash\nexit 1\n")
    result = project.run("scripts/demo", ORCH_PYTHON="old")
    assert result.returncode == 2
    assert result.stderr == "no python >= 3.11 found, tried: old; set ORCH_PYTHON to one\n"


def test_without_ensurepip_and_pip_the_package_to_install_is_named(project: Project) -> None:
    neither = '"-m pip" | "-c import ensurepip") exit 1 ;;\n  never)'
    project.fake("python", FAKE_PYTHON.replace('"-m pip")', neither))
    result = project.run("scripts/demo")
    assert result.returncode == 2
    assert "apt install python3-venv" in result.stderr


def test_fast_leaves_out_what_is_slow_or_needs_servers(project: Project) -> None:
    project.run("scripts/test", "--fast", "-k", "agent", FAKE_UID="0")
    selection = "-n 3 --dist loadfile -m not slow and not docker and not sshd"
    assert f"pytest {selection} -k agent " in project.log()[-1]
    assert "dockerd started" not in project.log()


def test_every_check_runs_though_one_fails(project: Project) -> None:
    result = project.run("scripts/test", "--fast", BROKEN="ruff lint-imports")
    assert names(project.log()) == ["pip", "ruff", "ruff", "mypy", "lint-imports", "pytest"]
    assert result.returncode == 1
    last_but_one, last = result.stdout.splitlines()[-2:]
    assert last_but_one.startswith("pytest ")
    assert last.startswith("scripts/test: FAILED in format ruff imports; environment ")


def test_the_tests_never_ask_a_hub_and_are_compiled_once(project: Project) -> None:
    project.run("scripts/test", "--fast", PYTHONDONTWRITEBYTECODE="1")
    assert "[offline: 1] [no bytecode: ]" in project.log()[-1]


@pytest.mark.parametrize(
    ("script", "effect"), [("scripts/test", "skipped"), (".ci/run", "failed, because CI=true")]
)
def test_what_is_missing_is_said_and_named_to_the_tests(
    project: Project, script: str, effect: str
) -> None:
    result = project.run(script)
    assert f"package docker.io): the tests that need it are {effect}" in result.stderr
    assert "pytest -n 3 --dist loadfile [missing: docker]" in project.log()[-1]


def test_an_engine_started_here_is_stopped_at_the_end(project: Project) -> None:
    assert project.run("scripts/test", FAKE_UID="0").returncode == 0
    log = project.log()
    assert "[missing: ]" in log[-2]
    assert (log[1], log[-1]) == ("dockerd started", "dockerd stopped")


def test_an_engine_that_was_there_is_left_running(project: Project) -> None:
    (project.fakes / "engine").touch()
    project.run("scripts/test", FAKE_UID="0")
    assert "dockerd started" not in project.log()
    assert (project.fakes / "engine").exists()


def test_test_images_are_built_where_an_engine_runs(project: Project) -> None:
    shutil.copy(project.fakes / "orch", project.root / "scripts/build-images")
    project.run("scripts/test")
    assert "build-images" not in names(project.log())
    (project.fakes / "engine").touch()
    project.run("scripts/test")
    assert "build-images" in names(project.log())


@pytest.mark.parametrize(("uid", "code"), [("0", 1), ("1000", 0)])
def test_only_root_is_to_blame_for_images_that_cannot_be_built(
    project: Project, uid: str, code: int
) -> None:
    shutil.copy(project.fakes / "orch", project.root / "scripts/build-images")
    (project.fakes / "engine").touch()
    result = project.run("scripts/test", FAKE_UID=uid, BROKEN="build-images")
    assert result.returncode == code
    assert "pytest -n 3 --dist loadfile [missing: images]" in project.log()[-1]
