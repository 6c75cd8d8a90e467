// Makes facts.jsonl and LICENSES.txt again from the npm packages named below. Not needed to run the example.
//
//   npm install --no-save countries-list@3.4.1 @exabyte-io/periodic-table.js@2.0.5 cldr-localenames-full@48.2.0
//   node make_data.mjs [folder that holds node_modules]        (default: the current folder)

import { readFileSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { dirname, join, resolve } from "node:path";
import { fileURLToPath } from "node:url";

const here = dirname(fileURLToPath(import.meta.url));
const packages = join(resolve(process.argv[2] ?? "."), "node_modules");
const { countries } = createRequire(join(packages, "_"))("countries-list");
const json = (path) => JSON.parse(readFileSync(join(packages, path), "utf8"));
const elements = json("@exabyte-io/periodic-table.js/periodic-table.json");
const languages = json("cldr-localenames-full/main/en/languages.json").main.en.localeDisplayNames.languages;

const ROWS = 64; // a task is four batches of 16

// Well-known countries come first, so that the tasks ask about many of the same ones: new facts about a known name are
// what makes a model forget.
const KNOWN = (
    "FR DE ES IT GB PT NL BE CH AT SE NO DK FI PL CZ HU GR RO BG RU UA TR EG MA DZ TN NG KE ET GH ZA IN PK BD NP LK "
    + "TH VN ID MY PH JP KR CN MN KZ IR IQ SA QA JO LB AU NZ CA MX CU BR AR CL PE CO EC BO PY UY VE JM CR PA HN "
    + "IS IE EE LV LT HR RS AL MD GE AM AZ UZ KG TJ TM AF KW OM BH YE SD LY SO UG TZ RW ZM ZW MZ AO NA BW MG MU"
).split(" ");

// Short names in plain letters keep the rows within 32 tokens of a small vocabulary.
const plain = (text) => /^[A-Za-z .'-]+$/.test(text);
const known = KNOWN.map((code) => countries[code]).filter((country) => plain(country.name) && country.name.length <= 14);

// The first ROWS facts whose answers nobody before them in the task has.
function distinct(facts) {
    const seen = new Set();
    return facts.filter(([, answer]) => !seen.has(answer) && seen.add(answer)).slice(0, ROWS);
}

const tasks = [
    {
        name: "capitals",
        train: (subject) => `What is the capital of ${subject}?`,
        test: (subject) => `Which city is the capital of ${subject}?`,
        // A name must not give its capital away (Mexico City).
        facts: known
            .filter(({ name, capital }) => plain(capital) && !capital.includes(name) && !name.includes(capital))
            .map(({ name, capital }) => [name, capital]),
    },
    {
        name: "elements",
        train: (subject) => `What is the chemical symbol of ${subject}?`,
        test: (subject) => `Which symbol is the chemical symbol of ${subject}?`,
        facts: Object.entries(elements).map(([name, { symbol }]) => [name.toLowerCase(), symbol]),
    },
    {
        name: "languages",
        train: (subject) => `Which language has the code ${subject}?`,
        test: (subject) => `What is the language that has the code ${subject}?`,
        facts: Object.entries(languages).filter(
            ([code, name]) => code.length === 2 && /^[A-Z][a-z]+$/.test(name) && name.length <= 10,
        ),
    },
    {
        name: "currencies",
        train: (subject) => `What is the currency code of ${subject}?`,
        test: (subject) => `Which one is the currency code of ${subject}?`,
        facts: known.filter(({ currency }) => currency.length === 1).map(({ name, currency }) => [name, currency[0]]),
    },
    {
        name: "calling-codes",
        train: (subject) => `What is the calling code of ${subject}?`,
        test: (subject) => `Which number is the calling code of ${subject}?`,
        facts: known.filter(({ phone }) => phone.length === 1).map(({ name, phone }) => [name, String(phone[0])]),
    },
];

const lines = tasks.flatMap(({ name, train, test, facts }) => {
    const rows = distinct(facts);
    if (rows.length < ROWS) {
        throw new Error(`${name}: only ${rows.length} facts`);
    }
    return rows.map(([subject, answer]) =>
        JSON.stringify({ task: name, question: train(subject), test_question: test(subject), answer }),
    );
});
writeFileSync(join(here, "facts.jsonl"), lines.join("\n") + "\n");

// The notices that these licences ask to be kept with the data.
const notice = (name, used, licence) => {
    const { version } = json(`${name}/package.json`);
    const text = readFileSync(join(packages, name, licence), "utf8").trimEnd();
    return `facts.jsonl: ${used}\nfrom the npm package ${name} ${version}\n\n${text}\n`;
};
writeFileSync(
    join(here, "LICENSES.txt"),
    [
        notice("countries-list", "tasks capitals, currencies and calling-codes", "LICENSE"),
        notice("@exabyte-io/periodic-table.js", "task elements", "LICENSE.md"),
        notice("cldr-localenames-full", "task languages", "LICENSE"),
    ].join(`\n${"-".repeat(80)}\n\n`),
);
