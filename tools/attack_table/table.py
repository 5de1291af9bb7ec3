# SPDX-License-Identifier: BSD-2-Clause
# SPDX-FileCopyrightText: optee-mediator contributors
"""The table of attacks: on the screen, and as JSON."""

import json

missing = "missing"


def cases(attacks, results, mediators) -> list[dict]:
    """One record for each attack; `results` has outcomes by schedule for (mediator, id), of those that were played."""
    return [case(attack, {name: results.get((name, attack.id)) for name in mediators}) for attack in attacks.values()]


def case(attack, outcomes) -> dict:
    record = {"id": attack.id, "title": attack.title, "required": attack.required}
    record.update({name: verdict(played) for name, played in outcomes.items()})
    details = {name: reasons(played) for name, played in outcomes.items() if record[name] == "fail"}
    record["detail"] = "; ".join(f"{name}, {text}" for name, texts in details.items() for text in texts[:1])
    record["details"] = details
    record["schedules"] = {name: {schedule: "pass" if outcome.passed else "fail" for schedule, outcome in played.items()}
                           for name, played in outcomes.items() if played}
    return record


def verdict(played) -> str:
    if played is None:
        return missing
    return "pass" if played and all(outcome.passed for outcome in played.values()) else "fail"


def reasons(played) -> list[str]:
    """Each reason once, with the schedules under which it was one."""
    found = {}
    for schedule, outcome in played.items():
        for reason in outcome.reasons:
            found.setdefault(reason, []).append(schedule)
    return [f"{'/'.join(schedules)}: {reason}" for reason, schedules in found.items()] or ["no schedule was played"]


def all_pass(records, mediator, mediators) -> bool:
    """True too where that mediator was not asked for."""
    return mediator not in mediators or all(record[mediator] == "pass" for record in records)


def show(records, mediators):
    width = max([len(record["id"]) for record in records] + [2])
    print("  ".join([f"{'id':<{width}}", *(f"{name:<8}" for name in mediators), "what is tried: what must come of it"]))
    for record in records:
        print("  ".join([f"{record['id']:<{width}}", *(f"{record[name]:<8}" for name in mediators),
                         f"{record['title']}: {record['required']}"]))
        for name, texts in record["details"].items():
            for text in texts:
                print(f"{'':<{width}}  | {name}, {text}")
    print()
    for name in mediators:
        print(f"{name}: {totals(records, name)}")


def totals(records, name) -> str:
    counts = {word: sum(record[name] == word for record in records) for word in ("pass", "fail", missing)}
    return ", ".join(f"{count} {word}" for word, count in counts.items() if count or word != missing)


def write(path, records, absent, not_to_be_had):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps({"cases": records, "missing_cases": absent, "missing_mediators": not_to_be_had},
                               indent=2) + "\n")
