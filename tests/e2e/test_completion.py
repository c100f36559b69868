"""Completion, asked of the shells themselves: every command, every flag of every command, words and files after a flag."""

import os
import pty
import re
import select
import shutil
import subprocess
import tempfile
import unittest
from pathlib import Path

import settings
from test_commands import COMMANDS, limpet

COMPLETION = settings.ROOT / "completion"
ANSWER_S_MAX = 30


class Bash:
    def __init__(self, directory):
        self.directory = directory

    def complete(self, line):
        script = """source "$1"; shift; COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); _limpet; printf '%s\\n' "${COMPREPLY[@]}\""""
        return self.run("bash", "--norc", "-c", script, "bash", COMPLETION / "limpet.bash", *line.split(" "))

    def run(self, *argv):
        done = subprocess.run(argv, cwd=self.directory, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=ANSWER_S_MAX, check=True)
        assert not done.stderr, done.stderr
        return [text.split("\t")[0] for text in done.stdout.splitlines()]

    def close(self):
        pass


class Fish(Bash):
    def complete(self, line):
        return self.run("fish", "--no-config", "-c", f"source {COMPLETION}/limpet.fish; complete -C '{line}'")


class Zsh:
    """It completes only what is typed on a terminal: a list appears, of which the words are read."""

    def __init__(self, directory):
        home = directory / ".home"
        (home / "functions").mkdir(parents=True)
        shutil.copy(COMPLETION / "limpet.zsh", home / "functions/_limpet")
        (home / ".zshrc").write_text(
            f"fpath=({home}/functions $fpath)\nautoload -Uz compinit\ncompinit -u -D\nsetopt no_beep no_prompt_sp prompt_subst\nLISTMAX=0\n"
            "turn=0\nprecmd() { ((turn++)) }\nPS1='<$turn>'\nbindkey '^I' list-choices\nstty rows 200 columns 200\n"
            "unset zle_bracketed_paste\nzstyle ':completion:*' list-colors ''\n"
        )
        self.terminal, theirs = pty.openpty()
        login = lambda: os.login_tty(theirs)
        environment = {**os.environ, "ZDOTDIR": str(home), "TERM": "dumb"}
        self.shell = subprocess.Popen(["zsh", "-i"], cwd=directory, env=environment, preexec_fn=login, pass_fds=[theirs])
        settings.STARTED.append(self.shell)
        os.close(theirs)
        self.turn = 1
        self.read_to("<1>")

    def read_to(self, mark):
        """It shows a prompt when it listens to keys: what is typed before that would not be completed."""
        text = ""
        while mark not in text:
            assert select.select([self.terminal], [], [], ANSWER_S_MAX)[0], text
            text += os.read(self.terminal, 65536).decode(errors="replace").replace("\r", "\n")
        return text

    def complete(self, line):
        os.write(self.terminal, f"{line}\t\x15\n".encode())
        self.turn += 1
        shown = self.read_to(f"<{self.turn}>").split(line, 1)[1].split(f"<{self.turn - 1}>")[0]
        shown = re.sub(r"\x1b\[[\d;?]*[A-Za-z]|<\d+>", "", shown)
        return [word for each in shown.splitlines() for word in each.split(" -- ")[0].split()]

    def close(self):
        os.close(self.terminal)  # it hangs up
        self.shell.wait(ANSWER_S_MAX)


class CompletionTest(unittest.TestCase):
    def each_shell(self):
        for name, shell in (("bash", Bash), ("fish", Fish), ("zsh", Zsh)):
            if not shutil.which(name):
                raise unittest.SkipTest(f"no {name} on the PATH (scripts/install-packages test installs it)")
            directory = Path(tempfile.mkdtemp(prefix="limpet-completion-"))
            self.addCleanup(shutil.rmtree, directory, True)
            (directory / "lines.lp").touch()
            started = shell(directory)
            self.addCleanup(started.close)
            yield started

    def test_commands(self):
        for shell in self.each_shell():
            self.assertEqual(sorted(word for word in shell.complete("limpet ") if not word.startswith("-")), sorted(COMMANDS))
            self.assertEqual(shell.complete("limpet re"), ["replay"])

    def test_every_flag_of_every_command(self):
        """As its --help names them."""
        for shell in self.each_shell():
            for command in COMMANDS:
                wanted = set(re.findall(r"^ +(?:-\w,)?(--[\w.-]+)", limpet(command, "--help").stdout, re.M)) - {"--help", "--help-all"}
                if not wanted:
                    continue
                with self.subTest(command=command, shell=type(shell).__name__):
                    self.assertEqual(sorted(set(shell.complete(f"limpet {command} --")) - {"--help"}), sorted(wanted))

    def test_words_after_a_flag(self):
        words = {
            "replay --dialect": ["strict", "telegraf"],
            "parse --precision": ["ms", "ns", "s", "us"],
            "aggregate --stdin": ["lines", "none"],
            "shard --log_level": ["debug", "error", "info", "warn"],
        }
        for shell in self.each_shell():
            for before, wanted in words.items():
                with self.subTest(before=before, shell=type(shell).__name__):
                    self.assertEqual(sorted(shell.complete(f"limpet {before} ")), wanted)

    def test_files(self):
        for shell in self.each_shell():
            for before in ("replay", "check", "inspect", "replay --rules x.toml", "check --against"):
                with self.subTest(before=before, shell=type(shell).__name__):
                    self.assertEqual(shell.complete(f"limpet {before} li"), ["lines.lp"])


if __name__ == "__main__":
    unittest.main()
