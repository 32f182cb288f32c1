"""Recurrent cells, one file a cell: its options, initial parameters and single step (see ``lrd.cells.base``)."""

from lrd.cells.attentive import Attentive
from lrd.cells.base import Cell, Parameters, State
from lrd.cells.clockwork import Clockwork
from lrd.cells.coupled_lstm import CoupledLSTM
from lrd.cells.gru import GRU
from lrd.cells.lstm import LSTM
from lrd.cells.lstm1997 import LSTM1997
from lrd.cells.network import (
    BACKWARD,
    FIRST,
    FORWARD,
    Part,
    features,
    network_name,
    network_parameters,
    one_layer,
    parameters_of,
    parts_of,
    parts_of_layer,
    placed,
    prepared,
    units,
)
from lrd.cells.orthogonal import Orthogonal
from lrd.cells.peephole_lstm import PeepholeLSTM
from lrd.cells.readout import products, read, readout_parameters
from lrd.cells.rnn import RNN

_KINDS: tuple[type[Cell], ...] = (
    RNN,
    LSTM,
    GRU,
    PeepholeLSTM,
    CoupledLSTM,
    LSTM1997,
    Orthogonal,
    Clockwork,
    Attentive,
)
#: Every cell by its name in ``conf/cell/``.
CELLS: dict[str, type[Cell]] = {cell.name: cell for cell in _KINDS}

__all__ = [
    "BACKWARD",
    "CELLS",
    "FIRST",
    "FORWARD",
    "GRU",
    "LSTM",
    "LSTM1997",
    "RNN",
    "Attentive",
    "Cell",
    "Clockwork",
    "CoupledLSTM",
    "Orthogonal",
    "Parameters",
    "Part",
    "PeepholeLSTM",
    "State",
    "features",
    "network_name",
    "network_parameters",
    "one_layer",
    "parameters_of",
    "parts_of",
    "parts_of_layer",
    "placed",
    "prepared",
    "products",
    "read",
    "readout_parameters",
    "units",
]
