#!/bin/sh
# Prepares, in a folder, what the sweeps beside this file read, and copies them there. See README.md.
#
#   sh train/experiments/prepare.sh OUT [emoji-r.tar split.txt]
#
# It can be stopped at any moment and run again: each step goes on where it was, or does nothing.
set -eu
if [ $# -ne 1 ] && [ $# -ne 3 ]; then
	echo "usage: sh prepare.sh OUT [emoji-r.tar split.txt]: a tar needs its split" >&2
	exit 2
fi
for given in ${2:+"$2"} ${3:+"$3"}; do
	[ -f "$given" ] || { echo "prepare.sh: $given: no such file" >&2; exit 2; }
done
here=$(cd "$(dirname "$0")" && pwd)
mcil=$here/../../bin/mcil
emoji=${2:+$(realpath "$2")}
split=${3:+$(realpath "$3")}
mkdir -p "$1" && cd "$1"

"$mcil" synth --out drawn-src --classes 129 --per-class 60 --seed 1
"$mcil" caption --source imagenet-r:drawn-src --endpoint builtin --out drawn-captions
"$mcil" build --source imagenet-r:drawn-src --captions drawn-captions --out drawn --layout hf

# The backbone's: other pictures of the classes that the increments leave out, four times as many.
if [ ! -f base/manifest.json ]; then
	"$mcil" synth --out base-src --classes 129 --per-class 240 --seed 7
	(cd base-src && ls -d n* | grep -v -e '^n01' -e '^n09' -e '^n12' -e '^n079' | xargs rm -rf)
	"$mcil" caption --source imagenet-r:base-src --endpoint builtin --out base-captions
	"$mcil" build --source imagenet-r:base-src --captions base-captions --out base --layout hf
fi
"$mcil" pretrain --data base --out drawn-backbone --model tiny --epochs 40 --drop 0.7
# Of captions as short as they stay in short.yaml: pictures have to count then, and take longer to learn.
"$mcil" pretrain --data base --out short-backbone --model tiny --epochs 150 --drop 0.4 --max-text 16

if [ -n "$emoji" ]; then
	"$mcil" caption --source "imagenet-r:$emoji" --endpoint builtin --out emoji-captions
	"$mcil" build --source "imagenet-r:$emoji" --captions emoji-captions --split "$split" --out emoji --layout hf
	"$mcil" pretrain --data emoji --classes 'n9*' --out emoji-backbone --model tiny --epochs 300 --drop 0.7
fi
cp "$here"/*.yaml "$here"/contrast.py .
