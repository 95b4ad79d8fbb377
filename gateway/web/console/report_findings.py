"""What the checks of the ledger and of the audit log can find wrong, and where.

Sentences of `refusals`, which finds the values in them: numbers of rows, amounts in micro-dollars,
and after `at` what a row of a sum is of (hour or day, account, key, model, provider).
"""

from typing import Final

from gateway.web.spoken import spoken

SENTENCES: Final = (
    # Of any check.
    spoken("there are more findings than can be listed"),
    spoken("the database cannot be read: %(error)s"),
    # Of the audit log.
    spoken("rows between %(first)s and %(last)s are missing"),
    spoken("row %(no)s is not as it was written"),
    spoken("the exported head %(no)s is not in the chain: it was cut"),
    # Of the ledger.
    spoken("ledger entries %(first)s to %(last)s are missing"),
    spoken("ledger entry %(no)s was altered, or one before it was removed"),
    spoken("ledger entry %(no)s moves no positive amount"),
    spoken("ledger entry %(no)s credits %(lot)s once more"),
    spoken("ledger account %(no)s was altered: it is %(text)s, %(kind)s"),
    spoken("ledger account %(no)s is missing"),
    spoken("ledger account %(no)s has the balance %(balance)s, but its entries give %(sum)s"),
    spoken("credit lot %(no)s names the ledger account %(other)s, which is not its own"),
    spoken("credit lot %(no)s is not the one that the ledger granted"),
    spoken("credit lot %(no)s has %(left)s microusd left, but its ledger entries leave %(rest)s"),
    spoken("credit lot %(no)s has %(left)s microusd left of %(granted)s granted"),
    spoken("credit lot %(no)s was granted but is missing"),
    spoken("account %(no)s has credit lots but no wallet"),
    spoken("the wallet of account %(no)s says %(balance)s microusd, its lots %(sum)s"),
    # Of the ledger beside the log of requests, and of the sums beside the log.
    spoken(
        "request %(id)s says %(cost)s + %(overrun)s microusd of account %(no)s, "
        "the ledger %(posted)s + %(lost)s of account %(other)s"
    ),
    spoken("the ledger charges the request %(id)s, which is not in the log as charged"),
    spoken("request %(id)s is in the log as charged, but not in its place in the ledger"),
    spoken("the ledger charges the request %(id)s out of order"),
    spoken(
        "account %(no)s: its requests cost %(cost)s picousd, but "
        "%(settled)s microusd were settled and %(carried)s picousd are carried"
    ),
    spoken("the usage of the hour %(at)s says %(sum)s, the request log %(logged)s"),
    spoken("the usage of the day %(at)s says %(sum)s, the hours %(logged)s"),
    spoken("the service of the day %(at)s says %(sum)s, the request log %(logged)s"),
    spoken("the applications of the hour %(at)s says %(sum)s, the request log %(logged)s"),
    spoken("the units of the hour %(at)s says %(sum)s, the request log %(logged)s"),
    spoken("the drift of the day %(at)s says %(sum)s, the request log %(logged)s"),
)
