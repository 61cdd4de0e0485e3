"""What a release is: plan, record, mark, lifecycle, evidence. Pure: no I/O, no Prefect, no clock.

How figures become a verdict is `serinus.analysis`; how anything is written is `serinus.moves`.
"""
