// nodemailer's pool and nunjucks: as its documentation shows them. PORT FOLDER CONNECTIONS
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";

const [port, folder, connections] = process.argv.slice(2);
const require = createRequire(`${process.env.NODE_MODULES_FROM}/package.json`);
const nodemailer = require("nodemailer");
const nunjucks = require("nunjucks");

const [header, ...lines] = readFileSync(`${folder}/list.csv`, "utf8").trimEnd().split("\n");
const names = header.split(",");
const rows = lines.map((line) => Object.fromEntries(line.split(",").map((cell, n) => [names[n], cell])));

const environment = nunjucks.configure(folder, { autoescape: true });
const text = environment.getTemplate("letter.txt.j2", true);
const html = environment.getTemplate("letter.html.j2", true);

const transport = nodemailer.createTransport({
  host: "127.0.0.1", port: Number(port), secure: false, ignoreTLS: true,
  pool: true, maxConnections: Number(connections), maxMessages: Infinity,
});
let next = 0;
async function worker() {
  while (next < rows.length) {
    const row = rows[next++];
    await transport.sendMail({
      from: "People Team <people@example.com>",
      to: `${row.name} <${row.email}>`,
      subject: `Your offer, ${row.name}`,
      text: text.render(row),
      html: html.render(row),
    });
  }
}
await Promise.all(Array.from({ length: Number(connections) * 2 }, worker));
transport.close();
