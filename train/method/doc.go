// Package method holds the ways of learning class after class, one file each, over the one encoder of train/vilt.
//
// A [Learner] is given the items of each phase in turn: the new classes' examples and whatever memory replays. It answers
// with features, logits over all classes (in the order learned) and attention. Which old examples are replayed, and in
// which form, is the business of train/memory; a method only learns from what it is given.
//
// # Methods
//
//	ssf       scale and shift vectors on a frozen encoder and a classifier that grows, both trained in every phase with
//	          cross-entropy over the classes seen (Lee et al., arXiv 2412.09549, after Lian et al., NeurIPS 2022)
//	finetune  the same without a memory: it refuses exemplars
//	linear    the classifier alone
//	joint     ssf on all rows of all classes seen, anew in each phase: the upper bound
//	simplecil mean features of the encoder as it came; nothing is learned (Zhou et al., IJCV 2024)
//	ease      an adapter for each phase, and mean features under all of them (Zhou et al., CVPR 2024)
//	l2p       prompts in the sequence, chosen for each example from a pool by their keys (Wang et al., CVPR 2022)
//	dualprompt, coda-prompt
//	          keys and values beside a block's own: general ones and a set for each phase (Wang et al., ECCV 2022), or summed
//	          from components that each example weights (Smith et al., CVPR 2023)
//
// A method is a [Spec]: whether it replays, which settings it reads, and how a learner is made. What it does not read is
// refused before a run begins, so that no flag is without effect. What is tuned is a [Tuner], a value passed in; there is one
// encoder, and no second copy of a block.
//
// # What the paper is silent about
//
// The paper publishes neither classifier, loss, optimizer nor schedule. What takes its place here, and the flag of mcil train
// that changes it:
//
//	classifier    linear, growing (--head: cosine, mlp as in the first author's earlier ViLT repository)
//	loss          cross-entropy over all classes seen; no distillation (--distill WEIGHT, --distill-temperature T)
//	SSF's life    one set, tuned in every phase (--tune-phases first: as it is after the first phase, see below)
//	optimizer     AdamW (0.9, 0.98), decay of matrices alone (--learning-rate, --weight-decay), linear warm-up and linear
//	              decay anew in each phase (--warmup, --epochs, --batch-size). A matrix decays whole: rows of a classifier
//	              whose classes come later lose some of their drawn length with --head cosine, and none of their direction
//
// These are to be chosen by accuracy on validation rows (--evaluate validation), never on test rows.
//
// With [Options.TunePhases] "first", ssf and finetune tune scale and shift in the first phase, as PILOT's APER-SSF does, and
// leave them as they are then; the classifier goes on learning in every phase, with distillation of itself where that is asked
// for. From the second phase on no gradient goes through the encoder, so a step is a forward pass and the classifier's own. The
// memory for the first phase's gradients stays.
//
// # The feature
//
// Of text and picture together a method sees one vector: what the pooler makes of the text's [CLS], the first row of the
// stream, which has looked at all rows of both modalities. It takes the place of the [CLS] of a picture, which is what papers of
// pictures alone read; l2p alone reads other rows.
//
//	simplecil  prototypes are means of that feature under the encoder as it came, of examples as a test shows them
//	linear     the classifier reads that feature of the frozen encoder: neither text nor picture is tuned
//	finetune   as ssf: the classifier reads that feature; scale and shift are of the map of patches and, in blocks and the final
//	           norm, of rows of text and picture alike. The embedding of text and the pooler stay as published
//	joint      feature and tuning as finetune's, learned anew from pairs of all classes seen
//
// # Adapters of phases
//
// ease is of pictures alone in its paper. Here its adapters lie beside the MLP of every block, for the rows of text and of
// picture alike, and what it calls the feature is what the pooler makes of the text's [CLS]: the one that every classifier here
// reads, and that pretraining shaped. A phase learns its adapter, and with it a cosine classifier of its own classes, by
// cross-entropy over those; the classifier is then thrown away. Kept are every adapter and every class's mean feature under the
// adapters up to its own phase's. Under later ones a class has no data, so its means there are complemented, for all pairs of
// phases and anew after each phase, and not kept. An answer takes as many forward passes as there were phases, which a report's
// test_pictures_per_second shows; a phase's means take as many for its train rows, which learn_pictures_per_second shows.
//
//	adapter      64 values wide (--adapter-width), times 0.1 (--adapter-scale), in the last block for [CLS] alone
//	dropout      of a tenth of the adapter's narrow values in steps (--adapter-dropout), by the seed, the phase, the step and
//	             the block, so that a run that goes on drops the same
//	alpha        0.1 (--ease-alpha), the weight of the other phases' adapters in an answer, all together
//	optimizer    AdamW as above. The authors' is SGD with momentum 0.9, from 0.05 to 0 by a cosine, decay 0.005, 20 epochs of
//	             batches of 16 on ImageNet-R
//	scale        of the temporary classifier: learned, as published, from 16 as --head cosine has it, not from 1
//
// Rate and scale were chosen on validation rows of drawn pictures: the commands below with mcil build --val 0.2, 30 epochs of
// pretraining and train --method ease --evaluate validation, seeds 1 to 3. Average and last accuracy %, means:
//
//	rate 0.003    51.2, 33.2        simplecil          52.0, 33.1 (it has no seed)
//	rate 0.01     53.6, 34.6        finetune, seed 1   35.1, 16.2
//	rate 0.03     53.1, 35.0        joint, seed 1      61.2, 45.6
//	rate 0.01, scale from 1         51.1, 36.9
//
// # Prompts
//
// The three methods of prompts are of pictures alone in their papers, and of a ViT with one class token. Here they see text and
// picture, and the class token is the text's [CLS], which ViLT's pooler reads:
//
//	query      the pooled feature of the encoder as published, without prompts: a second pass, without a gradient, over
//	           every sample that is learned or asked. It is kept in memory, for 64 MiB of samples, and not computed again, but
//	           for samples that are changed at random at each step.
//	feature    with dualprompt and coda-prompt the pooled feature, under prompts; with l2p the mean of the prompts' own rows
//	           after the final norm, which nothing pools, as published
//	sequence   with l2p [CLS], the prompts, the other text tokens, the picture's class token, patches. Prompts have neither
//	           position nor modality of their own (PILOT adds the frozen position of the class token, which a prompt that is
//	           learned takes in). With the others it is as it was: prefixes are looked at by all rows, text and picture alike,
//	           and are no rows.
//	prefixes   of a block are [L,D] keys and [L,D] values, after the map of keys and values; ports to PyTorch that reshape where
//	           they should transpose mix both up
//	classes    those of a phase compete with one another alone in training, and all that were seen in an answer
//	choice     by cosine. An answer depends on the example alone. With --batchwise, which the authors of l2p and PILOT have on
//	           and which is off here, all examples of a training batch take the prompts that most of them would; PILOT does so
//	           in its tests as well. dualprompt's training knows the phase; an answer has the nearest key among the phases
//	           begun, where ports have untrained ones compete too. With fewer expert prompts (--prompt-pool) than phases, those
//	           beyond share what there is, by key; more than phases are refused, as nothing would learn them.
//	optimizer  Adam (0.9, 0.999), no decay, anew in each phase; a decay that is asked for is of the classifier's rows of
//	           the phase's classes alone. The rate stays with l2p and dualprompt, and falls by epochs to nearly 0 on a cosine
//	           with coda-prompt. Gradients are not clipped; the authors of l2p and dualprompt clip them to a length of 1, which
//	           is not offered.
//
// Settings are PILOT's for ImageNet-R where they differ from the authors', which are reached by
//
//	l2p          prompts of 5 rows (authors, CIFAR-100: --prompt-length 10), 5 of a pool of 10 (--prompt-top 4), key weight 0.1
//	             (--key-weight 1), rate 0.001875 (--learning-rate 0.03), 10 epochs (5), batches of 32 (16), --batchwise
//	dualprompt   expert prompts of 5 rows (--prompt-length 20) in blocks 2 to 4 (--prompt-blocks), one a phase, and general ones
//	             of 5 rows, always, in the blocks before, so in 0 and 1; key weight 0.1 (1), rate 0.001 (0.005), 10 epochs (50)
//	coda-prompt  100 components (--prompt-pool), dealt out to the phases, of 4 keys and 4 values (--prompt-length) in blocks 0
//	             to 4; 50 epochs of batches of 128 at 0.001; no penalty on components that are not orthogonal. New ones are
//	             made orthogonal to the span of the old, of which the authors subtract projections one by one.
//
// An encoder with fewer blocks than the defaults name has prompts in those that it has, which run.json tells. Blocks that are
// given and are not there are refused.
//
// # Blocks that are not tuned
//
// With [Options.TuneFromBlock] ssf tunes block K and those behind it, and the final norm. The stream that enters block K is
// then a constant of a sequence, and a [Keeper] keeps it on disk: epochs after the first, later phases and other runs go on
// from there, and evaluation and herding do as well. Attention is across all rows, so it is the whole sequence that counts: a
// masked exemplar, and one that is replayed with another text, have entries of their own. Texts are drawn from those of a class's exemplars, so the same pairs come again. What is changed
// at random without such an end (colours, mirrored pictures, masks of new examples) is computed each time and not kept. An entry's key is a digest of the
// tokens, their positions, the patches, their positions and grid, and of K, the parameters below it, the processor's path and
// what the blocks make of a trial sequence.
//
// Rows are kept in half precision with a power of two of each row's own, which no outlier of the stream exceeds: two bytes a
// value, 285 kB for 144 patches and 40 tokens of ViT-B. What is computed is rounded in the same way before it is used, so that
// it is no matter of bytes whether an entry was there. The rounding moves features and gradients of a small model by some 5e-4,
// measured against float64.
//
// Processor time of a ViT-B/32 step over eight pictures of 144 patches and 40 tokens with all at hand, and of finding and
// reading the eight entries beside it (the least of four steps or more each, on a busy machine). The last block is computed for
// the class token alone, so where nothing else is tuned there is little left, of which bringing rows back to float32 is part:
//
//	                 step       reading
//	all blocks       5.4 s
//	from block 6     2.5 s      3 ms
//	from block 9     0.99 s     3 ms
//	from block 11    0.018 s    3 ms
//
// What it costs in accuracy depends on the weights and the data, and is to be measured there. On drawn pictures it costs
// nothing that three seeds on each of two backbones would show, and takes half of the time: 20 classes in 5 phases of 6 epochs,
// masked exemplars with a memory of 2 whole examples a class, a model of 3 blocks pretrained on 20 other classes, of which
// backbone 1 tells 60 % and backbone 2 70 %. Average accuracy % and last accuracy %, mean and deviation over seeds 1 to 3;
// processor seconds of a whole run, decoding and evaluation included, the least of all; products of its steps.
//
//	               backbone 1                backbone 2             seconds   GFLOP
//	all blocks     36.3 ± 1.0, 25.5 ± 2.6    48.6 ± 2.2, 36.3 ± 1.4    19.0     439
//	from block 1   38.9 ± 1.4, 26.5 ± 2.6    47.4 ± 1.0, 37.5 ± 1.3    14.6     295
//	from block 2   37.3 ± 1.1, 25.2 ± 2.5    49.7 ± 2.8, 38.8 ± 2.3    10.0     166
//
//	mcil synth    --out pictures --classes 40 --per-class 50
//	mcil caption  --source pictures --out captions
//	mcil build    --source pictures --captions captions --out dataset
//	mcil pretrain --data dataset --out tiny --classes BASE --epochs 40 --learning-rate 0.003 --batch-size 8 --seed 1  # or 2
//	mcil train    --data dataset --out RUN --classes FRESH --weights tiny --phases 5 --epochs 6 --budget 2 --batch-size 8 \
//	              --seed SEED --tune-from-block K
//
// BASE are the classes at even places in the order of wnids, FRESH the others, as mcil demo has them.
package method
