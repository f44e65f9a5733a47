# Rounds of training, and the pseudo-labels between them. `gpu` is what a profile may raise.


rule warmup:
    input:
        link.deps("warmup"),
    output:
        link.outs("warmup"),
    log:
        link.log("warmup"),
    benchmark:
        link.benchmark("warmup")
    threads: 8
    resources:
        mem_mb=memory(8000),
        gpu=0,
    shell:
        link.run("warmup", processes="{resources.gpu}")


if "pseudo_label" in link:

    rule pseudo_label:
        input:
            link.deps("pseudo_label"),
        output:
            link.outs("pseudo_label"),
        log:
            link.log("pseudo_label"),
        benchmark:
            link.benchmark("pseudo_label")
        threads: 8
        resources:
            mem_mb=memory(16000),
            gpu=0,
        shell:
            link.run("pseudo_label")


if "train_round" in link:

    rule train_round:
        input:
            link.deps("train_round"),
        output:
            link.outs("train_round"),
        log:
            link.log("train_round"),
        benchmark:
            link.benchmark("train_round")
        threads: 8
        resources:
            mem_mb=memory(8000),
            gpu=0,
        shell:
            link.run("train_round", processes="{resources.gpu}")
