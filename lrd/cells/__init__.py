"""What remembers: one file a cell, its initialisers, its single step."""

from lrd.cells.attentive import Attentive
from lrd.cells.base import Cell, Parameters, State, prepared
from lrd.cells.clockwork import Clockwork
from lrd.cells.lstm import LSTM
from lrd.cells.orthogonal import Orthogonal
from lrd.cells.readout import products, read, readout_parameters
from lrd.cells.rnn import RNN

CELLS: dict[str, type[Cell]] = {cell.name: cell for cell in (RNN, LSTM, Orthogonal, Clockwork, Attentive)}

__all__ = [
    "CELLS",
    "LSTM",
    "RNN",
    "Attentive",
    "Cell",
    "Clockwork",
    "Orthogonal",
    "Parameters",
    "State",
    "prepared",
    "products",
    "read",
    "readout_parameters",
]
