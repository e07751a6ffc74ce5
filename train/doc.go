// Package train runs class-incremental learning: phases of new classes, a memory of old examples within a byte budget,
// the accuracy after each phase, and a checkpoint from which a killed run goes on to the same result.
//
// # What to call
//
// [Pretrain] makes a small encoder where no published weights are at hand. [Run] learns a dataset's classes phase by phase
// with one method and one kind of exemplars and writes a run folder. [Open] makes a [Model] of one, to predict with and to
// evaluate on other data. [Embed] writes an encoder's features of any pictures and
// texts, for comparison and for other programs.
//
// # What a run looks at
//
// Training and memory see train rows only. Test rows are read after a phase, to fill the accuracy matrix, and nothing is
// chosen by them. Settings (learning rate, epochs, classifier, whatever a sweep varies) are chosen by runs whose accuracies
// are of validation rows, --evaluate validation; the report's split says which it was. Test rows are for the settings chosen.
//
// # Where the paper is silent
//
// The paper (arXiv 2412.09549) gives phases, backbone, tuning and that exemplars are replayed masked. What else a run needs is
// chosen here, and each choice has a flag of mcil train:
//
//	classes in phases    equal ones, the first takes the remainder (--phases, or --init and --increment; --order)
//	classifier and loss  see package method (--head, --distill, --distill-temperature)
//	SSF's life           one set, tuned in every phase (--tune-phases first: in the first alone)
//	optimizer            see package method (--learning-rate, --epochs, --batch-size, --weight-decay, --warmup)
//	mixing               every new example and every exemplar once an epoch (--mixing balanced: every class equally often)
//	which exemplars      herding by the features of whole examples (--herding stored: of what would be stored of them)
//	text of exemplars    at replay, with probability 1/2, that of another exemplar of the class: our reading of the paper's
//	                     multimodal augmentation (--repair)
//	picture changes      none, as ViLT trains (--augment flip,jitter; exemplars are changed as whole pictures would be, with
//	                     their patches where the whole picture's would be; contrast turns about the mean of what was kept)
//	new examples         whole; --mask-new takes a share of patches and tokens from them at random, as exemplars lack some (not
//	                     of the modality that masked exemplars keep whole). This is not the paper's: CIM compresses new
//	                     examples likewise. Where exemplars alone have gaps, a whole picture becomes a sign of a new class,
//	                     and where new examples alone have them, of an old one: see train/experiments
//	accuracy             top-1 over the rows of all classes seen, pooled; its mean over phases is the average accuracy. The
//	                     mean over phases of the matrix rows, which weighs phases alike, stands beside it
//
// # What it costs
//
// A report's trained_parameters are the values that a step of the last phase changes: the tuner's, and the whole classifier's
// (alone with --tune-phases first), or with prompts the classifier's rows of that phase's classes.
// kept_bytes are what a later phase needs beside the encoder: the exemplars' stored bytes, and the learner's state (tuned
// values, classifier) at four bytes a value, but for components of coda-prompt that no phase has; of joint, which learns
// anew, the train rows of all classes seen, in the bytes of raw exemplars, pixels uncompressed, and no state. The
// optimizer's moments are not in it, as each phase begins with none; nor is a teacher, which is the state of the phase
// before.
//
// learn_pictures_per_second is the examples that steps took, over steps, the waiting for their batches, and the mean
// features that EASE takes after them; a teacher's forward pass is part of a step, and a prompt's query is asked in a
// phase's first epoch alone. test_pictures_per_second is measured after a phase on 32 test rows of its classes (a batch,
// where that is smaller, or as many as there are): by the learner alone, no picture prepared meanwhile and nothing kept from before, so L2P's, DualPrompt's and CODA-Prompt's second forward
// pass and EASE's one for each phase are in it.
//
// # Memory
//
// Before learning, Run and Pretrain say what the process will hold: the network's memory, pictures and exemplars that are
// kept, examples made ahead, copies while a checkpoint is written, and the garbage between two collections, for which they
// set Go's collector while they last (unless GOGC does). It is the most, and a process with smaller batches, shorter captions
// or fewer pictures takes less. On top come some 20 MB of the program itself, and what the machine keeps of the dataset's
// file, which it gives up when it is short of memory.
//
// # A folder of weights
//
// model.safetensors (or pytorch_model.bin), config.json and vocab.txt as transformers has them; a file of weights beside the
// other two will do, a .ckpt of ViLT's original release too, and hf:OWNER/NAME is such a folder of the Hugging Face cache,
// which train/hub fills. What [Pretrain] made has mcil.json, written last, with its
// classes: none of them can be new in a run. While pretraining is under way pretrain.safetensors holds weights,
// classifier and the optimizer's moments after the last whole epoch; one that was killed goes on from there to the same
// bytes.
//
// # Features
//
//	NAME.npy     [rows, width] pooled features
//	NAME.jsonl   what each row is
//	NAME.json    settings, digests, what was left out; written last
//
// and, at a name of its own, the attention that the pooler's token pays: see [schemas.Embedding]. Until they are whole the
// files end in .partial. A batch counts when its lines are there, so a run that was killed goes on after the last whole
// batch. What a picture gets does not depend on the batch that it is in.
//
// # A run folder
//
//	run.json      effective settings, the digest of all that decides the result, that of the encoder alone, and the classes
//	phase-NN/     tuner.safetensors, memory.arrow, phase.json; appears whole when the phase is done
//	report.json   the accuracy matrix and what follows from it; written last
//	gallery.json  some exemplars of a kind that changes pictures, to look at
//	log.jsonl     one line an epoch: loss, work and time, of that in waiting for batches
//	halfway.safetensors  while a phase is learned: tuned values and the optimizer's moments after its last whole epoch
//	prefix/       outputs of blocks that are not tuned, where they are and no cache is given; deleted when the run is done
//
// A run that exists is resumed after its last whole epoch, or left alone where it is done. Every phase starts from the
// checkpoint before it, memory included, and generators are seeded by the run's seed, the phase, the epoch and the example,
// so there is no state of theirs to keep: a run that was killed and resumed ends with the bytes of one that was not (times
// apart). While a process is at work the folder is locked; another is refused.
package train
