"""A child process that settles without end and says on stdout which charges are durable.

    python -m tests.simulation.settler DATABASE

Prints `ready`, then one line `ID POSTED` for every acknowledged charge. It is meant to be killed.
"""

import asyncio
import os
import random
import sys
from pathlib import Path

from gateway.base.ids import IdFactory
from tests.fakes.books import Books, make_row

STREAMS = 50
COST_PICOUSD = 1_234_567
ACCOUNT = 1


async def stream(books: Books, ids: IdFactory, rng: random.Random) -> None:
    """One client after another, for ever; acknowledged means written to the pipe."""
    loop = asyncio.get_running_loop()
    while True:
        hold = books.bank.hold(ACCOUNT, 10, 50)
        await asyncio.sleep(rng.random() / 500)
        charge = hold.settle(COST_PICOUSD * rng.randrange(1, 20))
        request_id = ids.make("req")
        durable = loop.create_future()

        def acknowledge(done: asyncio.Future[None] = durable) -> None:
            done.set_result(None)

        row = make_row(request_id, ACCOUNT, charge, books.clock.now_us())
        books.settlements.submit(charge, row, acknowledge)
        await durable
        os.write(1, f"{request_id} {charge.posted_microusd}\n".encode())


async def main(path: Path) -> None:
    books = await Books(path, commit_delay_us=1_500).start()
    if not books.ledger.balance(ACCOUNT):
        await books.grant(ACCOUNT, 10**12)
    os.write(1, b"ready\n")
    ids = IdFactory(books.clock)  # its randomness keeps the ids of two lives apart
    rng = random.Random(os.getpid())
    await asyncio.gather(*(stream(books, ids, rng) for _ in range(STREAMS)))


if __name__ == "__main__":
    asyncio.run(main(Path(sys.argv[1])))
