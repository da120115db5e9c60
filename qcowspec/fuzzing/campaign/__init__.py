"""Campaigns: run a reader on thousands of mutants, and collect its faults.

In: a target, and a profile. Out: findings, each as small as possible. Refuses: nothing.

`stock` makes the mutants, `targets` run the reader, `oracle` knows the right answer, `minimise`
makes a finding small, `findings` keeps it, and `runs` is the campaign.
"""
