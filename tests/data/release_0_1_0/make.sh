#!/bin/sh
# Makes the runs and generators of this folder; needs release 0.1.0 of the program.
#   PYTHON=/path/to/python sh make.sh
set -eu
slicegan() { "${PYTHON:-python}" -m napari_slicegan "$@"; }
small="--generator-widths 6 6 --critic-widths 6 6 --latent-channels 4 --patch-size 16
  --generator-volumes 1 --critic-volumes 1 --crop 0 48 0 48 --steps 4 --minutes none
  --monitor-every 4 --keep-checkpoints 1 --device cpu --threads 1"
# Settings away from their defaults, so that a value lost on the way is seen.
other="--averaging 0.8 --decay-from 0.5 --output-rate 0.4 --penalty-every 2
  --lookahead 3 --penalty-weight 8 --generator-rate 0.003 --critic-rate 0.0009"

slicegan train sample:bentheimer_slice --out phases $small $other
slicegan train sample:nanoporous_gold --kind grayscale --out grayscale $small
slicegan train sample:bentheimer_slice sample:fibres_z --condition phase_fraction \
  --out conditional $small
slicegan train --z sample:fibres_z --y sample:fibres_y --x sample:fibres_x \
  --out anisotropic $small
# After $small: its widths and its crop do not fit these networks.
slicegan train sample:bentheimer_slice --preset oasis-28 --out images $small \
  --patch-size 28 --generator-widths 8 6 6 --critic-widths 6 6 --steps 2 \
  --generator-volumes 4 --critic-volumes 4 --monitor-every 2 --judged-images 16
slicegan train --preset realness-toy --out points --generator-widths 8 8 8 8 \
  --critic-widths 8 8 8 --generator-volumes 16 --critic-volumes 16 --steps 2 \
  --monitor-every 2 --keep-checkpoints 1 --device cpu --threads 1

slicegan export phases phases-half.safetensors --half
slicegan generate phases --size 20 24 28 --seed 7 --out phases-seed7.tif
slicegan generate grayscale --size 20 24 28 --seed 7 --out grayscale-seed7.tif
slicegan sample images --count 4 --seed 7 --out images-seed7.npy
slicegan directions fit phases --out directions.safetensors --components 2 \
  --samples 64 --seeds 2 --guided phase_fraction face_density --guided-samples 12
slicegan directions apply phases --directions directions.safetensors \
  --move "phase fraction=2" --size 24 --seed 7 --out edited-seed7.tif

cp -r phases resumed
slicegan resume resumed --steps 6 --monitor-every 100
mv resumed/history.csv phases-resumed.csv
rm -r resumed *.md */preview.png
"${PYTHON:-python}" settings.py
