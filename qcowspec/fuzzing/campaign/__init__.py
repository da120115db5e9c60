"""Campaigns: mutants by the thousand against a reader, and what comes of it.

In: a target, and an oracle's profile. Out: findings, each the smallest of its kind. Refuses:
nothing.

`stock` makes the mutants, `targets` run a reader on them, `oracle` says what should have come of
it, `minimise` makes a finding small, `findings` keeps it, and `runs` is the campaign.
"""
