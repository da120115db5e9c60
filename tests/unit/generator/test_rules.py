"""The catalogue of rules: what a row becomes, what is refused."""

from collections.abc import Callable
from pathlib import Path
from types import ModuleType

import pytest

from tools.generator import catalogue
from tools.generator.compiler import InputError
from tools.generator.layouts import Layout

CHANGES = ("bounds", "later")
"""The changes of QEMU's that rows may name."""

Load = Callable[[str], ModuleType]
Edit = Callable[[str, str, str], None]


def test_rules_come_in_the_order_of_the_stages(
    formats: Path, layouts: dict[str, Layout], load: Load
) -> None:
    for stage in ("backing", "probe"):
        text = (formats / "rules/header.toml").read_text("utf-8").replace("header/", f"{stage}/")
        (formats / "rules" / f"{stage}.toml").write_text(text, "utf-8")
    module = load(catalogue.text(catalogue.read(formats / "rules", layouts, CHANGES), "# header"))
    assert [(rule.stage, rule.id) for rule in module.RULES] == [
        ("probe", "probe/version"),
        ("header", "header/version"),
        ("backing", "backing/version"),
    ]


def test_a_rule_has_all_that_its_row_says(
    formats: Path, layouts: dict[str, Layout], load: Load
) -> None:
    module = load(catalogue.text(catalogue.read(formats / "rules", layouts, CHANGES), "# header"))
    (rule,) = module.RULES
    key = "Unsupported qcow2 version"
    assert rule.qemu == module.Qemu("rejects", key, 20, (), None, None, None, None, None)
    assert rule.versions == (2, 3)
    assert (rule.predicate_name, rule.untrusted) == ("ok_version", None)
    assert rule.source == ("a.c",)
    assert rule.message.format(value=4) == "version is 4."


def test_a_rule_says_what_older_versions_do(
    formats: Path, layouts: dict[str, Layout], load: Load, edit: Edit
) -> None:
    older = 'since = "bounds", before = { change = "later", when = "open" }'
    edit("rules/header.toml", "order = 20", f"order = 20, {older}")
    module = load(catalogue.text(catalogue.read(formats / "rules", layouts, CHANGES), "# header"))
    (rule,) = module.RULES
    assert rule.qemu.since == "bounds"
    assert rule.qemu.before == module.Before("later", None, "open")


def test_a_rule_says_what_it_is_to_a_check(
    formats: Path, layouts: dict[str, Layout], load: Load, edit: Edit
) -> None:
    edit("rules/header.toml", "librbd", 'check = { effect = "leak", exit = 3 }\nlibrbd')
    module = load(catalogue.text(catalogue.read(formats / "rules", layouts, CHANGES), "# header"))
    assert module.RULES[0].check == module.Check("leak", 3, None, None, None)


def test_a_rule_is_judged_on_opening_where_its_row_says_nothing_else(
    formats: Path, layouts: dict[str, Layout], load: Load, edit: Edit
) -> None:
    edit("rules/header.toml", "stops", 'after = "bitmaps"\nstops')
    module = load(catalogue.text(catalogue.read(formats / "rules", layouts, CHANGES), "# header"))
    (rule,) = module.RULES
    assert (rule.judged, rule.after, rule.check) == ("opening", "bitmaps", None)


def test_a_predicate_may_have_a_name_of_its_own(
    formats: Path, layouts: dict[str, Layout], load: Load, edit: Edit
) -> None:
    edit("rules/header.toml", "header/version", "header/v2-version")
    edit("rules/header.toml", "stops", 'predicate_name = "ok_version"\nstops')
    edit("rules/header.toml", "librbd", 'untrusted = "rejects"\nlibrbd')
    module = load(catalogue.text(catalogue.read(formats / "rules", layouts, CHANGES), "# header"))
    (rule,) = module.RULES
    assert (rule.predicate_name, rule.untrusted) == ("ok_version", "rejects")


def test_a_function_is_called_as_its_rule_is(
    formats: Path, layouts: dict[str, Layout], load: Load, edit: Edit
) -> None:
    edit("rules/header.toml", "header/version", "header/past-end")
    edit("rules/header.toml", '"instance"', '"function"')
    module = load(catalogue.text(catalogue.read(formats / "rules", layouts, CHANGES), "# header"))
    assert module.RULES[0].predicate_name == "header_past_end"


@pytest.mark.parametrize(
    ("old", "new", "sentence"),
    [
        (
            'kind = "unsupported"',
            'kind = "odd"',
            "rules/header.toml: rule header/version: `kind` is 'odd', which is none of malformed, "
            "invalid, unsupported.",
        ),
        (
            "order = 20",
            "orders = 20",
            "rules/header.toml: rule header/version: qemu: there is no key `orders`; the keys are "
            "verdict, key, order, loops, since, until, when, before, load.",
        ),
        (
            "order = 20",
            'order = 20, since = "9.1"',
            "rule header/version: qemu.toml has no change `9.1`.",
        ),
        (
            "order = 20",
            'order = 20, before = { change = "sooner", when = "open" }',
            "rule header/version: qemu.toml has no change `sooner`.",
        ),
        (
            "librbd",
            'check = { effect = "corrupt" }\nlibrbd',
            "rules/header.toml: rule header/version: check: `effect` is 'corrupt', which is none "
            "of corruption, leak, check-error, beyond-qemu, gives-up.",
        ),
        (
            "order = 20",
            'loops = ["snapshots"]',
            "rules/header.toml: rule header/version: `qemu.loops` is given without `qemu.order`.",
        ),
        (
            "stops",
            'after = "bitmaps"\njudged = "keys"\nstops',
            "rules/header.toml: rule header/version: `after` is about the stages of opening; drop "
            "it, or `judged`.",
        ),
        (
            "order = 20",
            'order = 20, before = { when = "open" }',
            "rules/header.toml: rule header/version: qemu.before: the key `change` is missing.",
        ),
        (
            "header/version",
            "probe/version",
            "rules/header.toml: rule probe/version: its id is not `header/` and a name, as "
            "its file demands.",
        ),
        (
            "[2, 3]",
            "[1, 2]",
            "rules/header.toml: rule header/version: ['qcow2'] has no versions [1, 2].",
        ),
        (
            '"version"',
            '"versions"',
            "rules/header.toml: rule header/version: `field` is versions, which disk::header has "
            "not.",
        ),
        (
            "header/version",
            "header/the-version",
            "rules/header.toml: rule header/the-version: its predicate is ok_the_version, an "
            "instance which disk::header has not.",
        ),
        (
            "ENOTSUP",
            "ENOTSUPPORTED",
            "rules/header.toml: rule header/version: `errno` is 'ENOTSUPPORTED', which is no "
            "errno.",
        ),
        (
            "disk::header",
            "disk::heading",
            "rules/header.toml: rule header/version: `on` is disk::heading, which is no type of a "
            ".ksy.",
        ),
        (
            "{value}",
            "{worth}",
            "rules/header.toml: rule header/version: the message has gaps that nothing fills: "
            "['worth'].",
        ),
        (
            "{value}",
            "{value",
            "rules/header.toml: rule header/version: the message cannot be filled in: expected "
            "'}' before end of string.",
        ),
    ],
)
def test_a_rule_that_is_not_sound_is_refused_with_a_sentence(
    formats: Path, layouts: dict[str, Layout], old: str, new: str, sentence: str, edit: Edit
) -> None:
    edit("rules/header.toml", old, new)
    with pytest.raises(InputError) as refusal:
        catalogue.read(formats / "rules", layouts, CHANGES)
    assert str(refusal.value) == sentence


def test_a_stage_that_is_none_and_a_rule_that_stands_twice_are_refused(
    formats: Path, layouts: dict[str, Layout]
) -> None:
    rules = formats / "rules"
    (rules / "footer.toml").write_text("", "utf-8")
    header = rules / "header.toml"
    header.write_text(header.read_text("utf-8") * 2, "utf-8")
    with pytest.raises(InputError) as refusal:
        catalogue.read(rules, layouts, CHANGES)
    assert str(refusal.value) == (
        "rules/footer.toml: there is no stage `footer`.\n"
        "rules: the rule `header/version` stands twice."
    )
