"""Conversion of the arms of a config to arms of a trial, with references resolved and checked.

Errors name the key (`arms.flat.doses.0.time`); `qsp.config.load` adds the file.
"""

from __future__ import annotations

from collections.abc import Mapping

from qsp import trial
from qsp.config import tables
from qsp.config.doses import molecule_doses
from qsp.config.messages import dotted
from qsp.config.premedication import supportive_doses
from qsp.config.reactions import Reactions
from qsp.errors import ConfigError, suggest
from qsp.trial.protocol import Dose, prescribe


class Protocol:
    """The arms of a config and the tables that they refer to.

    Args:
        arms: Arms by name.
        premedication: Premedication by name.
        reactions: Calendar and drugs of rules.
        days: Length of the trial [day].
    """

    def __init__(
        self,
        arms: Mapping[str, tables.Arm],
        premedication: Mapping[str, tables.Premedication],
        reactions: Reactions,
        days: float,
    ) -> None:
        self._arms = arms
        self._premedication = premedication
        self._reactions = reactions
        self._days = days

    def trial_arms(self, molecular_weight_kda: float) -> tuple[trial.Arm, ...]:
        """Return the arms in the order of the file, checked.

        Args:
            molecular_weight_kda: Molecular weight of the molecule [kDa].

        Raises:
            ConfigError: At the first key that breaks a rule.
        """
        self._check_periods_named()
        self._check_visits_named()
        arms = tuple(self._trial_arm(name, molecular_weight_kda) for name in self._arms)
        self._check_gaps_used()
        return arms

    def _trial_arm(self, name: str, molecular_weight_kda: float) -> trial.Arm:
        arm = self._arms[name]
        where = dotted(("arms", name))
        molecule = self._doses(name)
        supportive = [
            dose
            for n, used in enumerate(arm.premedication)
            for dose in self._supportive(used, f"{where}.premedication.{n}", molecule)
        ]
        regimen = prescribe(
            [*supportive, *molecule],
            molecular_weight_kda=molecular_weight_kda,
            days=self._days,
            where=where,
        )
        plain = trial.Arm(name, (regimen,), arm.parameters, arm.title or name)
        if arm.rules is None:
            return plain
        return self._reactions.reacting(plain, arm.rules, f"{where}.rules")

    def _doses(self, name: str) -> tuple[Dose, ...]:
        """Return the doses of the molecule in an arm: its own, or those of the arm it names."""
        arm = self._arms[name]
        key = dotted(("arms", name, "same_doses_as"))
        if arm.same_doses_as is None:
            return molecule_doses(arm.doses, dotted(("arms", name, "doses")))
        if arm.doses:
            todo = f"Remove the doses of arm {name!r} or this key"
            raise ConfigError(key, "the value must not be used with doses", "given too", todo)
        own = [other for other, table in self._arms.items() if table.doses]
        if arm.same_doses_as not in own:
            got = repr(arm.same_doses_as)
            todo = f"{suggest(arm.same_doses_as, own)} Arms with doses: {', '.join(own) or 'none'}"
            rule = "the value must be an arm with its own doses"
            raise ConfigError(key, rule, got, todo.strip())
        other = self._arms[arm.same_doses_as]
        return molecule_doses(other.doses, dotted(("arms", arm.same_doses_as, "doses")))

    def _supportive(self, name: str, where: str, molecule: tuple[Dose, ...]) -> tuple[Dose, ...]:
        """Return the doses of one premedication in an arm."""
        if name not in self._premedication:
            known = ", ".join(self._premedication) or "none"
            todo = f"{suggest(name, self._premedication)} Defined: {known}".strip()
            rule = "the value must be defined as [premedication.NAME]"
            raise ConfigError(where, rule, repr(name), todo)
        table = self._premedication[name]
        return supportive_doses(table, dotted(("premedication", name)), molecule)

    def _check_gaps_used(self) -> None:
        """Refuse `min_interval` without rules, where no dose is ever late."""
        for name, table in self._arms.items():
            users = [table, *(arm for arm in self._arms.values() if arm.same_doses_as == name)]
            if any(arm.rules is not None for arm in users):
                continue
            for n, dose in enumerate(table.doses):
                if dose.min_interval is not None:
                    where = dotted(("arms", name, "doses", n, "min_interval"))
                    rule = "the value must be in an arm with rules, which can delay a dose"
                    todo = "Without rules each dose is given on its day: remove it, or write rules"
                    raise ConfigError(where, rule, repr(dose.min_interval), todo)

    def _check_visits_named(self) -> None:
        """Refuse visits after periods that no arm with rules has; some arms may lack them."""
        arms = [name for name, arm in self._arms.items() if arm.rules is not None]
        known = {dose.period for name in arms for dose in self._doses(name)}
        calendar = self._reactions.calendar
        for n, entry in enumerate(calendar.visits if calendar and arms else ()):
            for k, period in enumerate(entry.after):
                if period not in known:
                    where = dotted(("calendar", "visits", n, "after", k))
                    rule = "the value must be a dose period of an arm with rules"
                    todo = f"{suggest(period, known)} Periods: {', '.join(sorted(known))}".strip()
                    raise ConfigError(where, rule, repr(period), todo)

    def _check_periods_named(self) -> None:
        """Refuse periods that no arm with the premedication has; some arms may lack them."""
        for name, table in self._premedication.items():
            users = [arm for arm, has in self._arms.items() if name in has.premedication]
            known = {dose.period for arm in users for dose in self._doses(arm)}
            for n, period in enumerate(table.periods):
                if users and period not in known:
                    where = dotted(("premedication", name, "periods", n))
                    rule = "the value must be a dose period of an arm with this premedication"
                    todo = f"{suggest(period, known)} Periods: {', '.join(sorted(known))}".strip()
                    raise ConfigError(where, rule, repr(period), todo)
