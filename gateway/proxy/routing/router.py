"""The router: what is known of every target and key, and each model's candidates for an endpoint.

Health belongs to a provider's model whatever our model or catalog version asks for it, so it
outlives a swap of the snapshot. Plans belong to a snapshot and are made once. Everything happens in
memory; nothing here sends a request.
"""

from collections.abc import Callable, Iterator
from typing import Any

from gateway.platform.catalog import Catalog, Model, Snapshot, Target
from gateway.proxy.dialects.endpoints import Endpoint
from gateway.proxy.dialects.translation import wire_of
from gateway.proxy.routing.health import STATES, BreakerLimits, TargetHealth
from gateway.proxy.routing.keys import KeyPool


class Step:
    """An attempt to make: where, through which key, and after how many seconds."""

    def __init__(self, candidate: "Candidate", key_no: int, wait_s: float = 0.0) -> None:
        self.candidate = candidate
        self.key_no = key_no
        self.wait_s = wait_s


class Candidate:
    """A model's target with all that is known of it. `targets[n]` is seen through the n-th key."""

    def __init__(self, model: Model, target: Target, health: TargetHealth, keys: KeyPool) -> None:
        self.model = model
        self.health = health
        self.keys = keys
        self.targets = [
            Target(
                provider,
                target.model,
                target.weight,
                target.region,
                target.max_concurrent,
                target.price,
            )
            for provider in keys.providers
        ]
        self.name = f"{target.provider.name}:{target.model}"
        self.cap = target.max_concurrent
        # The sandbox fails when it is told to, which says nothing about the next request.
        self.judged = target.provider.kind != "sandbox"
        self.timed = model.policy == "latency" or model.hedge
        self.usual = Step(self, 0)
        self._wires: dict[str, Endpoint | None] = {}
        self.plain = self.cap is None and len(self.targets) == 1 and not model.hedge

    @property
    def full(self) -> bool:
        """Whether as many requests run as may."""
        return self.cap is not None and self.health.in_flight >= self.cap

    def wire_for(self, endpoint: Endpoint) -> Endpoint | None:
        """What is spoken there for a client of this endpoint; None when there is no way."""
        if endpoint.name not in self._wires:
            self._wires[endpoint.name] = wire_of(endpoint, self.targets[0])
        return self._wires[endpoint.name]

    @property
    def attentive(self) -> bool:
        """Whether `answered` would change anything."""
        return self.timed or self.health.troubled or self.keys.troubled

    def available(self, now_s: float) -> bool:
        """Whether a request may go here now."""
        return self.health.allows(now_s) and self.keys.live(now_s) and not self.full

    def answered(self, key_no: int, latency_s: float, now_s: float) -> None:
        """The target answered, or began to. Cheap where nothing was wrong."""
        if self.health.troubled:
            self.health.succeeded(now_s)
        if self.keys.troubled:
            self.keys.answered(key_no)
        if self.timed:
            self.health.observe(latency_s, now_s)


class Plan:
    """The candidates of one model, by endpoint."""

    def __init__(self, model: Model, candidates: tuple[Candidate, ...]) -> None:
        self.model = model
        self._all = candidates
        self._by_endpoint: dict[str, tuple[Candidate, ...]] = {}

    def serving(self, endpoint: Endpoint) -> tuple[Candidate, ...]:
        """Those that can serve an endpoint, in the catalog's order."""
        found = self._by_endpoint.get(endpoint.name)
        if found is None:
            found = tuple([each for each in self._all if each.wire_for(endpoint) is not None])
            self._by_endpoint[endpoint.name] = found
        return found


class Router:
    """All health and all plans of a process."""

    def __init__(
        self,
        catalog: Catalog,
        limits: BreakerLimits,
        *,
        now_s: Callable[[], float],
        random: Callable[[], float],
    ) -> None:
        self.now_s = now_s
        self.random = random
        self._catalog = catalog
        self._limits = limits
        self._snapshot: Snapshot | None = None
        self._plans: dict[str, Plan] = {}
        self._health: dict[tuple[str, str], TargetHealth] = {}
        self._keys: dict[str, KeyPool] = {}

    def plan(self, model: Model) -> Plan:
        """The plan of a model of the present snapshot, or of one that was just swapped away."""
        if self._catalog.snapshot is not self._snapshot:
            self._swap(self._catalog.snapshot)
        plan = self._plans.get(model.name)
        if plan is None or plan.model is not model:
            plan = Plan(model, tuple([self._candidate(model, one) for one in model.targets]))
            if self._catalog.snapshot.models.get(model.name) is model:
                self._plans[model.name] = plan
        return plan

    def _candidate(self, model: Model, target: Target) -> Candidate:
        place = (target.provider.name, target.model)
        health = self._health.get(place)
        if health is None:
            health = self._health[place] = TargetHealth(*place, self._limits, self.random)
        keys = self._keys.get(target.provider.name)
        if keys is None or keys.providers[0] is not target.provider:
            keys = KeyPool(target.provider)
            self._keys.setdefault(target.provider.name, keys)
        return Candidate(model, target, health, keys)

    def _swap(self, snapshot: Snapshot) -> None:
        self._snapshot = snapshot
        self._plans = {}
        places = {
            (target.provider.name, target.model)
            for model in snapshot.models.values()
            for target in model.targets
        }
        self._health = {
            place: health
            for place, health in self._health.items()
            if place in places or health.in_flight
        }
        pools = {name: KeyPool(provider) for name, provider in snapshot.providers.items()}
        for name, pool in pools.items():
            if name in self._keys:
                pool.inherit(self._keys[name])
        self._keys = pools

    def candidates(self) -> Iterator[Candidate]:
        """Every candidate of the present snapshot, models in the catalog's order."""
        for model in self._catalog.snapshot.models.values():
            yield from self.plan(model)._all

    def report(self) -> list[dict[str, Any]]:
        """Each target once, as plain values: what `tallygate providers health` shows."""
        now_s = self.now_s()
        rows: dict[tuple[str, str], dict[str, Any]] = {}
        for each in self.candidates():
            health, target = each.health, each.targets[0]
            row = rows.setdefault(
                (health.provider, health.model),
                {
                    "provider": health.provider,
                    "model": health.model,
                    "region": target.region,
                    "state": health.state,
                    "opens_in_s": round(max(0.0, health.open_until_s - now_s), 1)
                    if health.state == STATES[2]
                    else None,
                    "in_flight": health.in_flight,
                    "max_concurrent": each.cap,
                    "requests": health.requests,
                    "retries": health.retries,
                    "failures": health.failures,
                    "latency_ms": round(health.latency_s * 1000) if each.timed else None,
                    "keys": each.keys.states(now_s),
                    "used_by": [],
                },
            )
            row["used_by"].append(each.model.name)
        return list(rows.values())
