"""What remembers: one file a cell, its initialisers, its single step."""

from lrd.cells.base import Cell, Parameters, State
from lrd.cells.coupled_lstm import CoupledLSTM
from lrd.cells.gru import GRU
from lrd.cells.lstm import LSTM
from lrd.cells.lstm1997 import LSTM1997
from lrd.cells.peephole_lstm import PeepholeLSTM
from lrd.cells.readout import products, read, readout_parameters
from lrd.cells.rnn import RNN

CELLS: dict[str, type[Cell]] = {cell.name: cell for cell in (RNN, LSTM, GRU, PeepholeLSTM, CoupledLSTM, LSTM1997)}

__all__ = [
    "CELLS",
    "GRU",
    "LSTM",
    "LSTM1997",
    "RNN",
    "Cell",
    "CoupledLSTM",
    "Parameters",
    "PeepholeLSTM",
    "State",
    "products",
    "read",
    "readout_parameters",
]
