# Reads PTX of a streaming verb and fails where a kernel has fewer wide accesses to global memory than its lists ask for:
# 128 bits for four neighbouring elements of an f32 list, 64 for four of 16 bits, 32 for four of 8. Each instantiation is
# looked at by itself, as its name says which kinds its lists are of.
#
#   nvcc -ptx … cuda/norm.cu -o - | awk -f native/test/wide_accesses.awk

# A list that is read, written or both ("r", "w", "rw"), of that kind: 0 none, 1 f32, 2 half, 3 block, 4 byte (vector.cuh).
function list(kind, how) {
    if (how ~ /r/) want["load", width[kind]] += rounds
    if (how ~ /w/) want["store", width[kind]] += rounds
}

function walk_lists(verb) {
    rounds = 1
    if (verb == "FisherAccumulateLanes") { # gradient, which may be cleared
        rounds = 2
        list(1, "rw"); list(kind[1], "rw")
    } else if (verb == "FisherMergeLanes" || verb == "FisherMaxLanes") {
        rounds = 2
        list(kind[1], "rw"); list(kind[2], "r")
    } else if (verb == "ConvertLanes") {
        rounds = 2
        list(kind[1], "w"); list(kind[2], "r")
    } else if (verb == "AnchorLanes") { # change, Fisher, anchor; 2 is merge
        list(1, "r"); list(kind[2], kind[1] == 2 ? "rw" : "r"); list(kind[3], kind[1] == 2 ? "r" : "rw")
        if (kind[1] == 2) list(1, "rw")
    } else if (verb == "PenaltyLanes") {
        rounds = kind[1] == 0 ? 2 : 1
        list(1, "r"); list(kind[1], "rw"); list(kind[2], "r"); list(kind[3], "r")
    } else if (verb == "NormLanes") {
        rounds = kind[2] == 0 ? 4 : 2
        list(kind[1], "r"); list(kind[2], "r"); list(kind[3], "r")
        if (kind[2] != 0) list(1, "r")
    } else if (verb == "AdamWLanes") { # the copy of theta is in 16 bit
        list(1, "rw"); list(1, "rw"); list(1, "rw"); list(2, "w")
        list(kind[1], "rw"); list(kind[2], "r"); list(kind[3], "r")
    } else { # cross_entropy_kernel: two walks of four groups and one
        rounds = 5
        list(kind[1], "r"); list(kind[1], "rw")
    }
}

function finish_kernel(    key, parts) {
    if (name == "") return
    for (key in want) {
        split(key, parts, SUBSEP)
        if (parts[2] != 0 && have[key] + 0 < want[key]) {
            printf "%s: %d %ss of %d bits, expected %d or more\n", name, have[key], parts[1], parts[2], want[key]
            failed = 1
        }
    }
    name = ""
}

BEGIN { width[0] = 0; width[1] = 128; width[2] = width[3] = 64; width[4] = 32 }

/\.entry/ {
    finish_kernel()
    split("", want)
    split("", have)
    if (match($0, /[A-Z][A-Za-z]*LanesI|cross_entropy_kernelI/)) {
        verb = substr($0, RSTART, RLENGTH - 1)
        arguments = substr($0, RSTART + RLENGTH)
        gsub(/NS[0-9A-Z]*_[0-9]+(Kind|AnchorChange)E/, "#", arguments)
        gsub(/S[0-9A-Z]*_/, "#", arguments)
        match(arguments, /^(L#[0-9]+E)+/)
        arguments = substr(arguments, 1, RLENGTH)
        gsub(/[L#]/, "", arguments)
        sub(/E$/, "", arguments)
        gsub(/E/, ",", arguments)
        split(arguments, kind, ",")
        name = verb "<" arguments ">"
        walk_lists(verb)
        ++kernels
    } else if ($0 ~ /chunk_kernel/ && $0 !~ /QuantiseBlocks/) { # those take a block a warp, element by element
        print "a kernel of lanes that this script does not know: " $0
        failed = 1
    }
}

/ld\.global(\.nc)?\.v4\.f32/ { ++have["load", 128] }
/ld\.global(\.nc)?\.v2\.u32/ { ++have["load", 64] }
/ld\.global(\.nc)?\.u32/ { ++have["load", 32] }
/st\.global\.v4\.f32/ { ++have["store", 128] }
/st\.global\.v2\.u32/ { ++have["store", 64] }

END {
    finish_kernel()
    if (kernels == 0) print "no kernel of lanes"
    exit failed || kernels == 0
}
