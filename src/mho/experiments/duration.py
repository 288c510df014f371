"""How long training will take, from a few steps."""

import time

import jax
import numpy as np

from mho.experiments.circuits import output_columns
from mho.experiments.configuration import Configuration
from mho.experiments.data import Dataset
from mho.experiments.devices import one_device
from mho.experiments.epoch import compile_epoch, initial_state, sample_order
from mho.experiments.kinds import learner
from mho.experiments.learner import with_constants
from mho.experiments.shifts import configured_shifts

_ENOUGH = 0.3
"""Seconds of steps that are measured."""


def epoch_seconds(configuration: Configuration, data: Dataset) -> float:
    """Seconds that the steps of an epoch take on this machine, as some of the first ones tell; compilation apart."""
    samples, features = data.train_inputs.shape
    shifts = configured_shifts(configuration.shift, data)
    given = data.train_inputs if shifts is None else shifts.padded(data.train_inputs)
    classes, devices = output_columns(configuration, data), one_device()
    steps = configuration.passes * (samples // configuration.batch_size)
    made = learner(configuration, features, data.form.outputs, steps, data.image_shape)
    with jax.enable_x64(made.double):
        try:
            state = initial_state(made)
            made = with_constants(made, state.network)
            state = devices.placed(state)
            inputs, targets, order = map(
                devices.replicated,
                (given, data.train_targets, sample_order(0, 1, samples, configuration.passes)),
            )
            key = jax.random.wrap_key_data(devices.replicated(jax.random.key_data(jax.random.key(0))))
            advance = compile_epoch(
                made,
                state,
                inputs,
                targets,
                classes=classes,
                scale=data.scale,
                batch_size=configuration.batch_size,
                passes=configuration.passes,
                devices=devices,
                shifts=shifts,
            )
            done, piece, took, each = 0, 1, 0.0, 0.0
            while done < steps and took < _ENOUGH:
                stop, began = min(done + piece, steps), time.perf_counter()
                state, _ = advance(state, devices.replicated(np.int32(stop)), order, inputs, targets, key)
                jax.block_until_ready(state)
                took = time.perf_counter() - began
                each, done, piece = took / (stop - done), stop, 2 * piece
        finally:
            made.close()
    return each * steps
