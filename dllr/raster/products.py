"""Names of the files inside the stages' output folders, for those who write and those who read them."""

INDEX = "index.csv"  # scenes: a row a scene
AUDIT = "audit.csv"  # scenes: a row a finding
RECORDS = "records"  # scenes: a JSON record a scene
WINDOWS = "windows.parquet"  # tile, split: a row a window
SAMPLES = "samples.npz"  # tile: pixels that band statistics are taken from
ROLES = "roles"  # split: what each pixel may be used for
EVIDENCE = "evidence.npz"  # coregister: crops that show a scene's registration
LABELS = "labels"  # split: labels inside the budget
HELD_OUT = "validation"  # split: labels of the validation pixels
SUMMARY = "summary.json"  # split, pseudo_label: what was decided
CHECKPOINT = "checkpoint.pt"  # warmup, train_round, evaluate: the trained network
HISTORY = "history.csv"  # warmup, train_round, evaluate: learning curves
GUARD = "guard.json"  # warmup, train_round: whether the rounds go on, and why
KEPT = "kept.pt"  # train_round: network of the round before, where this one was lost
CLASS_NAMES = "classes"  # coregister: tag of a label raster, class names in the order of indices
PSEUDO_CLASS = "class.tif"  # pseudo_label: class of each pixel
PSEUDO_WEIGHT = "weight.tif"  # pseudo_label: how much it is trusted
PSEUDO_LEVEL = "level.tif"  # pseudo_label: what changed the teacher's opinion of it
LEDGER = "ledger.parquet"  # pseudo_label, train_round: rules compared where the truth is known
SAMPLE = "sample.parquet"  # pseudo_label, train_round: labels of a sample of pixels, rule by rule
LABELS_SUMMARY = "labels.json"  # train_round: summary of the pseudo-labels it was trained on
ONNX = "model.onnx"  # export: the selected network for other programs
ONNX_DEEPNESS = "deepness.onnx"  # export: the same for the QGIS plugin Deepness
CARD = "README.md"  # export: what the network is
