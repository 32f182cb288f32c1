"""The home of the gradient: how its norm at every time step is computed, summed up and named in the records.

Two kinds of norms are measured.

* Gradient flow (``flow``): the gradient of one answer's loss, sample by sample, on probe sequences, whatever the run is
  trained on. ``adjoint`` takes it from step to step.
* Training gradient norms (``training_norms``): the gradient of the training loss itself, at every update. The kernels
  that can hand it over as their backward pass goes by; ``norm_sums`` keeps sums over the updates between two rows.

The parts that both use, from the bottom up:

* ``lrd.scaled``: vectors with a power of two, so that no norm leaves the range of floats;
* ``closed_forms``: one forward unroll and one table of slopes of the cells whose backward pass is written out;
* ``adjoint``: the backward pass of one step, of any cell;
* ``step_jacobians``, ``jacobian_products``, ``jacobian_bounds``: the linear maps of single steps and of many;
* ``contributions``: what each step adds to the gradient of each parameter;
* ``summary`` (statistics over samples and the fitted line) and ``rates`` (what a slope means);
* ``schema``: the columns of the tables.

Nothing is imported here, so that ``rates`` and ``schema`` can be read without torch.
"""
