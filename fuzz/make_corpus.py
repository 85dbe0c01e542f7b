"""Writes the seeds of the pickle fuzzer: one small dictionary of everything the reader knows, in protocols 0 to 5, and
files it must refuse. Needs numpy and scipy; chumpy's two classes are stood in for by classes of the same names."""

import collections
import pathlib
import pickle
import sys
import types

import numpy as np
import scipy.sparse as sp

OUT = pathlib.Path(__file__).parent / "corpus" / "pickle"


def fake(module, name):
    made = types.ModuleType(module)
    setattr(made, name, type(name, (), {"__module__": module}))
    sys.modules[module] = made
    return getattr(made, name)


sys.modules["chumpy"] = types.ModuleType("chumpy")
Ch = fake("chumpy.ch", "Ch")
Select = fake("chumpy.reordering", "Select")


def content():
    wide = Ch()
    wide.__dict__.update(x=np.arange(12.0).reshape(2, 6), _dirty_vars=set(["x"]), _itr=None, _depends_on_deps={})
    select = Select()
    select.__dict__.update(a=wide, idxs=np.array([11, 0, 5, 6]), preferred_shape=(2, 2), _status="new")
    dense = np.array([[0.0, 2.0, 0.0], [1.5, 0.0, -3.0]])
    ring = [1, 2]
    ring.append(ring)
    return {
        "c": np.arange(6.0).reshape(2, 3),
        "fortran": np.asfortranarray(np.arange(6.0).reshape(2, 3)),
        "f4": np.arange(3, dtype="<f4"),
        "big": np.arange(3, dtype=">f8"),
        "u4": np.array([[4294967295, 0]], dtype="<u4"),
        "i2": np.array([-2, 3], dtype=">i2"),
        "bool": np.array([True, False]),
        "scalar": np.float64(2.5),
        "csc": sp.csc_matrix(dense),
        "csr": sp.csr_matrix(dense),
        "coo": sp.coo_matrix(dense),
        "ch": wide,
        "select": select,
        "ordered": collections.OrderedDict([("k", 1), ("l", 2)]),
        "set": {3},
        "frozen": frozenset([4]),
        "text": "lbs",
        "umlaut": "\u00fc\u20ac",
        "bytes": b"\xff\x00",
        "array of bytes": bytearray(b"ab"),
        "numbers": [0, 255, 65535, -1, 2**31, -(2**40), 1.5, True, None],
        "ring": ring,
    }


OUT.mkdir(parents=True, exist_ok=True)
for protocol in range(6):
    (OUT / f"all_p{protocol}.pkl").write_bytes(pickle.dumps(content(), protocol))

OPEN = b"cos\nsystem\n(S'true'\ntR."
HOSTILE = {
    "os_system": OPEN,
    "os_system_p2": b"\x80\x02cposix\nsystem\nq\x00U\x04trueq\x01\x85q\x02Rq\x03.",
    "os_system_p4": b"\x80\x04\x8c\x05posix\x94\x8c\x06system\x94\x93\x94\x8c\x04true\x94\x85\x94R\x94.",
    "inst": b"(S'true'\nios\nsystem\n.",
    "obj": b"(cos\nsystem\nS'true'\no.",
    "long_string": b"\x80\x02T\xff\xff\xff\x7f.",
    "bytes8": b"\x80\x04\x8e" + (1 << 60).to_bytes(8, "little") + b".",
    "deep": b"]" * 300 + b"a" * 299 + b".",
    "ring_of_tuples": b"]q\x00h\x00\x85ah\x00a.",
}
# Found by the fuzzer: a key beyond ASCII as Python 2 writes it.
(OUT / "latin1_key.pkl").write_bytes(b"\x80\x02}U\x01\xe9K\x07s.")
# What torch.save writes of a tensor of four numbers, and of a sparse one.
STORAGE = b"(X\x07\x00\x00\x00storagectorch\n%sStorage\nX\x01\x00\x00\x000X\x03\x00\x00\x00cpuK\x04tQ"
VIEW = b"ctorch._utils\n_rebuild_tensor_v2\n(" + STORAGE + b"K\x00%s\x89ccollections\nOrderedDict\n)RtR"
ROW = VIEW % (b"Float", b"K\x04\x85K\x01\x85")
PLACES = VIEW % (b"Long", b"K\x02K\x02\x86K\x02K\x01\x86")
PAIR = VIEW % (b"Float", b"K\x02\x85K\x01\x85")
COO = b"ctorch.serialization\n_get_layout\nX\x10\x00\x00\x00torch.sparse_coo\x85R"
SPARSE = b"ctorch._utils\n_rebuild_sparse_tensor\n" + COO + b"(" + PLACES + PAIR + b"ctorch\nSize\nK\x02K\x02\x86\x85R\x89t\x86R"
for name, value in {"torch_dense": ROW, "torch_sparse": SPARSE}.items():
    (OUT / f"{name}.pkl").write_bytes(b"\x80\x02ccollections\nOrderedDict\n)RX\x01\x00\x00\x00a" + value + b"s.")
for name, data in HOSTILE.items():
    (OUT / f"hostile_{name}.pkl").write_bytes(data)
