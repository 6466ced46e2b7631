"""What is done with a block, stage by stage; a kind of QKD names its stages in order.

A stage takes the outcome of the one before and returns its own; nobody else keeps one, so that what a stage no longer
needs is freed. Programs are written for duties: the reference's string is kept, the corrector's is made equal to it.
Which host has which duty is the kind's.
"""
