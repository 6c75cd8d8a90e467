#!/bin/sh
# Writes checksums.sha256 anew: the SHA-256 of everything that a build and its tests take from a registry, plugins and poms
# included. Maven holds what it downloads to them (.mvn/maven.config), and takes nothing else. Run it when a dependency or plugin
# has changed, and look at what git shows:
#
#   .mvn/checksums/record.sh            for ./ewc4j build and ./ewc4j test
set -eu
here=$(CDPATH='' cd -- "$(dirname -- "$0")" && pwd)
rm -f "$here/checksums.sha256"
trap 'rm -f "$here/checksums.sha256.bak"' EXIT # Maven's, of the list before the last goal
cd "$here/../.."
# Surefire takes what runs tests only for a test that runs: one that needs not the whole list. Nothing is cleaned, installed or deployed.
for goal in "-Dmaven.test.skip=true package" \
    "-Pbench -Dexec.skip=true -Dtest=ArchitectureTest -Dmaven.clean.skip=true -Dmaven.install.skip=true -Dmaven.deploy.skip=true
     clean deploy spotless:check" \
    "-Pgpu dependency:resolve" "-Pfuzz dependency:resolve"; do
    # shellcheck disable=SC2086 # goals and options, split at their blanks
    sh ./mvnw --batch-mode --quiet $goal \
        -Daether.artifactResolver.postProcessor.trustedChecksums.record=true
done
LC_ALL=C sort -k 2 -o "$here/checksums.sha256" "$here/checksums.sha256"
