#!/bin/sh
# accuracy.sh RIDGE - prints doc/accuracy.md: what of the forecasts is validated, by whom it was measured, and what is
# only modelled. The figures are those that training found on what it held out; they lie in data/learned/.
set -eu
cat <<'TEXT'
# Accuracy

Written by `make accuracy`; every figure comes from `data/learned/`, where `ridge learn` put it.

A forecast is an analytic base times a learned residual (doc/learn.md). The tables give the mean and the median of
|forecast / measured - 1| for three cases: the base alone; a device that was measured, for models and shapes that were
held out; a device that was held out altogether. `tau` is Kendall's tau-b of the same forecasts: 1 where slower and faster
are told apart in all pairs. `90 % within` is the factor that becomes the interval of a forecast; of a
device that was measured its own, where it has rows enough. `in 90 %` is what such intervals hold of what had no say in
them: of models and shapes where the others say how wide they are; of a device where the other devices do. `wide` is their
width, (high - low) / forecast. A dash: not tried, or the file is older than the column.

- **Validated**: keys with five devices or more, whose intervals rest on devices held out.
- **Not validated**: keys with fewer devices. Their intervals for other devices are a stated prior or rest on few.
- **Only modelled**: whatever has no key here: other runtimes, types and kinds of device. `ridge predict` says so, and its
  interval is the runtime profile's prior.

TEXT
"$1" evidence --format md
