from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from qkdpost.errors import InputError, RemoteProtocolError
from qkdpost.network.epsilon import epsilon_bound
from qkdpost.network.provenance import MAX_BLOCKS, MAX_TRANSFERS, Block, CheckCount, Path, Provenance, Transfer

LINKS = ("a|b", "b|c", "c|d", "a|e")


def block(link: str = "a|b", number: int = 1, epsilon: float = 1e-10, accumulated: float | None = None) -> Block:
    return Block(
        link=link,
        identifier=bytes([number]) * 16,
        kind="bb84",
        epsilon=epsilon,
        accumulated_epsilon=epsilon * number if accumulated is None else accumulated,
    )


def of(*blocks: Block, checks: tuple[CheckCount, ...] = ()) -> Provenance:
    return Provenance(blocks=blocks, checks=checks)


blocks = st.builds(block, st.sampled_from(LINKS), st.integers(1, 5))
checks = st.builds(
    lambda pool, units: CheckCount(pool=bytes([pool]) * 16, units=units), st.integers(0, 3), st.integers(0, 9)
)
provenances = st.builds(
    lambda parts, counts: Provenance(blocks=tuple(parts), checks=tuple(counts)),
    st.lists(blocks, max_size=6),
    st.lists(checks, max_size=4),
)


@settings(max_examples=100, deadline=None)
@given(provenances, provenances, provenances)
def test_joining_asks_for_no_order_and_forgets_nothing(one: Provenance, two: Provenance, three: Provenance) -> None:
    assert one | two == two | one
    assert (one | two) | three == one | (two | three)
    assert one | one == one
    assert set(one.blocks) <= set((one | two).blocks)
    assert epsilon_bound(one | two).distance >= epsilon_bound(one).distance
    assert Provenance.from_bytes((one | two).to_bytes()) == one | two


def test_equal_blocks_count_once_and_of_a_link_the_largest_accumulated_epsilon() -> None:
    first, second = block(number=1), block(number=3)
    assert epsilon_bound(of(first) | of(first)).distance == epsilon_bound(of(first)).distance
    assert 3e-10 <= epsilon_bound(of(first) | of(second)).distance <= 3.0001e-10
    assert 4e-10 <= epsilon_bound(of(first, block("b|c")) | of(second)).distance <= 4.0001e-10


def test_checks_of_a_pool_are_a_counter_and_pools_add_up() -> None:
    one = of().with_checks(b"p" * 16, 4098).with_checks(b"p" * 16, 8196).with_checks(b"q" * 16, 10)
    assert [count.units for count in one.checks] == [8196, 10]
    assert 8206 / 2.0**128 <= epsilon_bound(one).distance <= 8206.1 / 2.0**128


def relayed(transfer: int, paths: dict[str, tuple[Block, ...]], degree: int = 65) -> Provenance:
    return Provenance.relayed(bytes([transfer]) * 16, [((node,), of(*own)) for node, own in paths.items()], degree)


def test_over_disjoint_paths_secrecy_is_the_worst_path_and_correctness_the_sum() -> None:
    one = relayed(1, {"n1": (block("a|n1"), block("n1|z", 2)), "n2": (block("a|n2"), block("n2|z", 5))})
    bound = epsilon_bound(one)
    assert 6e-10 <= bound.secrecy <= 6.0001e-10
    assert 9e-10 <= bound.correctness <= 9.0001e-10
    assert 15e-10 <= bound.distance <= 15.0001e-10
    assert one.disjoint_paths == 2
    assert one.trusted_nodes == ("n1", "n2")


def test_over_one_path_the_sum_is_the_distance() -> None:
    bound = epsilon_bound(relayed(1, {"n1": (block("a|n1"), block("n1|z", 2))}))
    assert 3e-10 <= bound.distance <= 3.0001e-10
    assert bound.claim == "joint"


def test_each_transfer_adds_its_check() -> None:
    one = relayed(1, {"n1": ()}, degree=3) | relayed(2, {"n1": ()}, degree=5)
    assert 10 / 2.0**128 <= epsilon_bound(one).distance <= 10.1 / 2.0**128


def test_the_key_of_a_request_counts_all_that_it_could_have_come_from() -> None:
    bound = epsilon_bound(of(block("a|b")), pools=[of(block("a|b", 4)), of(block("b|c"))])
    assert bound.claim == "request"
    assert 5e-10 <= bound.distance <= 5.0001e-10


def test_what_an_operator_stated_is_marked_for_ever() -> None:
    stated = Block(
        link="x",
        identifier=bytes(16),
        kind="vendor",
        epsilon=0.0,
        accumulated_epsilon=0.0,
        stated_by_operator=True,
    )
    assert epsilon_bound(of(stated) | of(block())).stated_by_operator
    assert not epsilon_bound(of(block())).stated_by_operator


@pytest.mark.parametrize("content", [b"", b"\x93\x90\x90", of(block()).to_bytes() + b"\0", b"\x94\x90\x90\x90\x90"])
def test_other_bytes_are_refused(content: bytes) -> None:
    with pytest.raises(RemoteProtocolError):
        Provenance.from_bytes(content, error=RemoteProtocolError)


def test_a_provenance_has_one_form_alone() -> None:
    one, two = block("a|b").__reduce__()[1], block("b|c").__reduce__()[1]
    import msgspec

    unsorted = msgspec.msgpack.encode([[list(two), list(one)], [], []])
    with pytest.raises(InputError, match="another form"):
        Provenance.from_bytes(unsorted)


def test_paths_share_no_node_and_hops_are_links() -> None:
    path = Path(nodes=("n1",), blocks=(), checks=())
    with pytest.raises(InputError, match="common nodes"):
        Transfer(identifier=bytes(16), check_degree=1, paths=(path, path))
    with pytest.raises(InputError, match="odd degree"):
        Transfer(identifier=bytes(16), check_degree=2, paths=(path,))
    with pytest.raises(InputError, match="hop"):
        Provenance.relayed(bytes(16), [(("n",), relayed(1, {"m": ()}))], 1)


def test_contradicting_accounts_of_one_transfer_are_refused() -> None:
    with pytest.raises(InputError, match="two different transfers"):
        _ = relayed(1, {"n1": ()}) | relayed(1, {"n2": ()})


def test_blocks_are_found_wherever_they_are() -> None:
    one = of(block(number=7)) | relayed(9, {"n": (block("x|y", 8),)})
    assert [one.has(bytes([number]) * 16) for number in (7, 8, 9, 6)] == [True, True, True, False]


def test_a_pool_may_rest_on_more_than_one_key_may() -> None:
    def numbered(number: int) -> Block:
        name = number.to_bytes(16, "big")
        return Block(link="a|b", identifier=name, kind="bb84", epsilon=1e-10, accumulated_epsilon=1e-10)

    share = Path(nodes=("n",), blocks=(block("c|d"),), checks=())
    pools = [of(numbered(number)) for number in range(MAX_BLOCKS + 1)]
    pools += [
        Provenance(transfers=(Transfer(identifier=number.to_bytes(16, "big"), check_degree=65, paths=(share,)),))
        for number in range(MAX_TRANSFERS + 1)
    ]
    bound = epsilon_bound(of(block()), pools)
    assert bound.claim == "request" and bound.disjoint_paths == 1
    assert 2e-10 < bound.all_nodes_honest < 2.001e-10
