#!/bin/sh
# Proves that another Maven build can depend on the .nar: builds this folder against the artifacts of the build that runs
# it, in a local repository of their own (so that nothing stale is found and nothing is installed for the user), with the
# user's repository behind it (so that nothing is downloaded again).
set -eu
maven_home=$1 user_repository=$2 target=$3 version=$4 aol=$5

case $("$maven_home/bin/mvn" --version | sed -n 's/.*Apache Maven \([0-9.]*\).*/\1/p') in
    3.[0-8].*) echo "nar-consumer: skipped, a chained local repository needs Maven 3.9 (./ewc4j brings it)"; exit 0 ;;
esac

here=$(cd "$(dirname "$0")" && pwd)
# Not below target: the NAR plugin cannot link in a folder with a space in its name, where this clone may well be.
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
artifacts=$work/repository/org/ewc4j/ewc4j/$version
mkdir -p "$artifacts"
cp "$here/../../../pom.xml" "$artifacts/ewc4j-$version.pom"
cp "$target/ewc4j-$version.jar" "$artifacts/ewc4j-$version.nar"
cp "$target/ewc4j-$version-noarch.nar" "$target/ewc4j-$version-$aol-shared.nar" "$artifacts/"
cp -R "$here/pom.xml" "$here/src" "$work/"

# Everything it needs but ewc4j is a part of the main build, so it is there already: offline.
"$maven_home/bin/mvn" -B -q -o -f "$work/pom.xml" verify -Dewc4j.version="$version" \
    -Dmaven.repo.local="$work/repository" -Dmaven.repo.local.tail="$user_repository"
program=$(find "$work/target/nar" -type f -name nar-consumer -perm -u+x | head -n 1)
libraries=$(dirname "$(find "$work/target" -name libewc.so | head -n 1)")
LD_LIBRARY_PATH=$libraries "$program"
