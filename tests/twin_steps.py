"""What the functions of a generated suite do, line by line, and how tests are marked."""

from __future__ import annotations

import random
from collections.abc import Sequence

import pytest

MARKS = (
    "skip",
    "skip(reason='of a mark')",
    "skipif(True, reason='true')",
    "skipif(False, reason='false')",
    "skipif('1 == 1', reason='text')",
    "xfail",
    "xfail",
    "xfail(reason='of a mark')",
    "xfail(strict=True)",
    "xfail(raises=Broken)",
    "xfail(raises=(KeyError, AssertionError), strict=True)",
    "xfail(run=False)",
    "xfail(False, reason='false')",
    "filterwarnings('error:warned')",
    "filterwarnings('ignore:warned')",
)
#: How a function ends, other than by its last line; more often the usual ways.
_ERRORS = (
    *("raise Broken({0!r})",) * 4,
    *("assert not {0!r}",) * 2,
    "assert [1, {0!r}] == [1, 2]",
    "raise KeyError({0!r}) from Broken('cause')",
    "try:\n    raise Broken('context')\nfinally:\n    raise KeyError({0!r})",
    "raise ExceptionGroup({0!r}, [Broken('one'), KeyError('two')])",
    "raise BaseExceptionGroup({0!r}, [Broken('one')])",
    "raise unittest.SkipTest({0!r})",
    "try:\n    raise Broken({0!r})\nexcept Broken as error:\n    error.add_note('noted')\n    raise",
    "if count('times ' + {0!r}) < 2: raise Broken('only once')",
    "if count('times ' + {0!r}) < 2: raise Broken('only once')",
)
_VERDICTS = (
    *("pytest.skip({0!r})",) * 2,
    *("pytest.xfail({0!r})",) * 2,
    "pytest.fail({0!r})",
    "pytest.fail({0!r}, pytrace=False)",
    "with pytest.raises(KeyError):\n    WAIT",
)
#: Beside which nothing else may fail where they end a tear-down, see ``twin_intended.py``.
_ENDS = ("skip", "xfail")
#: Those that end the run; and what pytest loses track of in a fixture, see ``twin_intended.py``.
_LAST_OF_SET_UP = ("pytest.exit({0!r})",)
_LAST_OF_TEST = (*_LAST_OF_SET_UP, "raise KeyboardInterrupt({0!r})", "raise SystemExit({0!r})")
_PLAIN = (
    *("WAIT",) * 8,
    "told({0!r})",
    "WITH block({0!r}):\n    WAIT",
    "WITH block({0!r}):\n    trace('in the block')",
    "try:\n    WAIT\n    raise Broken\nexcept Broken:\n    WAIT\n    trace('caught')",
    "try:\n    WITH block({0!r}):\n        raise Broken\nexcept Broken:\n    trace('caught')",
    "with pytest.raises(Broken, match='me'):\n    WAIT\n    raise Broken('me')",
    "trace(count({0!r}))",
    "with pytest.warns(UserWarning):\n    told({0!r})\n    WAIT",
)
_OF_TEAR_DOWN = (
    *("request.addfinalizer(lambda: end({0!r}))",) * 2,
    "request.addfinalizer(lambda: end({0!r}, waits=True))",
    "DEFINE finish():\n    WAIT\n    end({0!r})\nrequest.addfinalizer(finish)",
    "request.addfinalizer(lambda: trace(request.node.nodeid))",
    "trace(request.node.nodeid); trace(request.scope); trace(names_in(request))",
)
_OF_REQUEST = (*_OF_TEAR_DOWN, "request.node.addfinalizer(lambda: end({0!r}))")
_RARE_OF_REQUEST = (
    "request.node.add_marker(pytest.mark.xfail(reason={0!r}))",
    "request.applymarker(pytest.mark.xfail(reason={0!r}, strict=True))",
    "request.node.user_properties.append(('name', {0!r}))",
    """\
try:
    request.getfixturevalue('missing')
except pytest.FixtureLookupError:
    trace('missing')""",
    "request.session.shouldstop = {0!r}",
    "request.session.shouldfail = {0!r}",
)
_GET = (
    *("trace(request.getfixturevalue({1!r}))",) * 2,
    """\
try:
    trace(request.getfixturevalue({1!r}))
except Exception as error:
    trace(type(error).__name__)""",
    "try:\n    WAIT\nfinally:\n    trace(request.getfixturevalue({1!r}))",
)
_GET_IN_TEAR_DOWN = (
    """\
try:
    trace(request.getfixturevalue({1!r}))
except (Exception, pytest.fail.Exception, pytest.skip.Exception) as error:
    trace(type(error).__name__)""",
)
_OF_BUILT_IN = {
    "capsys": "print('for capsys')\nWAIT\ntrace(capsys.readouterr().out)",
    "caplog": "log.warning('for caplog')\nWAIT\ntrace(caplog.messages)",
    "monkeypatch": "monkeypatch.setattr(unittest, 'patched', {0!r}, raising=False)\nWAIT\n"
    "trace(unittest.patched)",
    "tmp_path": "(tmp_path / 'file').touch()\nWAIT\ntrace(sorted(each.name for each in tmp_path.iterdir()))",
    "recwarn": "told({0!r})\nWAIT\ntrace(len(recwarn.list))",
    "record_property": "record_property('key', {0!r})",
}

_FINALIZER = "DEFINE finish():\n    WAIT\n    end({0!r}, 'ERROR')\nrequest.addfinalizer(finish)"


class Steps:
    """Makes up what functions do.

    In all methods ``key`` is what the lines say of where they are, ``names`` are fixtures that they may ask
    for, and ``requests`` those that the function takes.
    """

    def __init__(self, source: random.Random) -> None:
        self._random = source
        self._number = 0
        #: Where a tear-down ends with a verdict, nothing else in the suite may fail in one.
        self._has_verdict = self._chance(0.15)
        self._may_fail = True

    def built_in(self, probability: float) -> list[str]:
        """Return fixtures of pytest's own to request, mostly none."""
        return [self._random.choice(sorted(_OF_BUILT_IN))] if self._chance(probability) else []

    def of_test(self, key: str, names: Sequence[str], requests: Sequence[str]) -> list[str]:
        """Return what a test does."""
        lines = [*self._some(requests, _OF_REQUEST), *self._get(names, _GET)]
        if self._chance(0.02):
            lines.append(self._failing_finalizer())
        if self._chance(0.25):
            lines.append(self._end(_LAST_OF_TEST))
        elif self._chance(0.02):
            lines.append("return {0!r}")
        return self._filled(lines, key)

    def of_function(self, key: str, ends: float, *, is_tear_down: bool = False) -> list[str]:
        """Return what a function does that takes nothing; ``ends`` is how probably it fails."""
        lines = self._some((), ())
        if self._chance(ends):
            if not is_tear_down:
                lines.append(self._end(()))
            elif failure := self._failure():
                lines.append(self._random.choice(_ERRORS if failure == "error" else _VERDICTS))
        return self._filled(lines, key)

    def of_set_up(
        self,
        key: str,
        names: Sequence[str],
        requests: Sequence[str],
        *,
        may_fail_later: bool = True,
    ) -> list[str]:
        """Return how a fixture is set up; ``may_fail_later`` says whether a finalizer may fail."""
        lines = [*self._some(requests, _OF_REQUEST), *self._get(names, _GET)]
        if self._chance(0.01):
            finalizer = self._failing_finalizer()
            if may_fail_later:
                lines.append(finalizer)
        if self._chance(0.08):
            lines.append(self._end(_LAST_OF_SET_UP))
        return self._filled(lines, key)

    def of_tear_down(self, key: str, names: Sequence[str], requests: Sequence[str]) -> list[str]:
        """Return how a fixture is torn down."""
        if pytest.version_tuple < (9,):
            # It sets up what is not up yet, and loses it, see ``twin_intended.py``.
            names = [each for each in requests if each not in _OF_BUILT_IN]
        lines = [*self._some(requests, _OF_TEAR_DOWN), *self._get(names, _GET_IN_TEAR_DOWN)]
        # Only one of them may, where it is a verdict.
        if self._chance(0.3 if self._has_verdict else 0.07) and (failure := self._failure()):
            lines.append(self._random.choice(_ERRORS if failure == "error" else _VERDICTS))
        return self._filled(lines, key)

    def _chance(self, probability: float) -> bool:
        return self._random.random() < probability

    def _some(self, requests: Sequence[str], of_request: Sequence[str]) -> list[str]:
        choice = self._random.choice
        lines = [choice(_PLAIN) for _ in range(choice([0, 1, 1, 2, 3]))]
        lines += [_OF_BUILT_IN[each] for each in requests if each in _OF_BUILT_IN]
        if of_request and self._chance(0.2):
            lines.append(choice(of_request))
        if of_request and self._chance(0.03):
            lines.append(choice(_RARE_OF_REQUEST))
        self._random.shuffle(lines)
        return lines

    def _get(self, names: Sequence[str], ways: Sequence[str]) -> list[str]:
        choice = self._random.choice
        return [choice(ways).replace("{1!r}", repr(each)) for each in names if self._chance(0.1)]

    def _end(self, last: Sequence[str]) -> str:
        if last and self._chance(0.02):
            return self._random.choice(last)
        return self._random.choice(self._random.choice((_ERRORS, _ERRORS, _VERDICTS)))

    def _failing_finalizer(self) -> str:
        error = self._failure()
        return _FINALIZER.replace("ERROR", error)

    def _failure(self) -> str:
        """Return how a tear-down may fail here, nothing if it may not."""
        if not self._has_verdict:
            return "error"
        may_fail, self._may_fail = self._may_fail, False
        return self._random.choice(_ENDS) if may_fail else ""

    def _filled(self, lines: list[str], key: str) -> list[str]:
        filled = []
        for line in lines:
            self._number += 1
            filled.append(line.replace("{0!r}", repr(f"{key} {self._number}")))
        return filled
