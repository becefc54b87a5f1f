/** `output`: hands its input to the world: files, a table, the search index, a report. */
import type { JsonObject } from '../../../schema/json.ts';
import { FILE_FORMATS } from '../../../schema/stages/common.ts';
import type { ArtifactRef, StageOutput } from '../../../schema/stages/contract.ts';
import { type FileOutput, type OutputConfig, ReportSettings } from '../../../schema/stages/output.ts';
import { indexRows } from '../index-rows.ts';
import { type Job, mainInput, openSession } from '../job.ts';
import { writeFiles } from './files.ts';
import { writeReport } from './report.ts';
import { writeTable } from './table.ts';

export async function output(job: Job<OutputConfig>): Promise<StageOutput> {
  const { config } = job;
  const dataset = mainInput(job);
  const artifacts: ArtifactRef[] = [];
  const summary: JsonObject = { rows: dataset.rows };
  const files = filesOf(job);
  const session = await openSession(job);
  try {
    artifacts.push(...(await writeFiles(job, session, files)));
    job.progress(0.4, 'Wrote the files');
    if (config.report !== undefined) {
      const settings = ReportSettings.parse(config.report === true ? {} : config.report);
      artifacts.push(await writeReport(job, session, settings));
    }
    if (config.table) summary.table = await writeTable(job, session, config.table);
  } finally {
    await session.close();
  }
  if (config.index) summary.index = await indexRows(job, config.index, 'index');
  summary.artifacts = artifacts.map((artifact) => artifact.name);
  return { dataset, artifacts, summary };
}

/** One JSON file when nothing at all is asked for; its format may come from the parameters of the execution. */
function filesOf({ config, request }: Job<OutputConfig>): FileOutput[] {
  if (config.files) return config.files;
  const elsewhere = config.table !== undefined || config.index !== undefined || config.report !== undefined;
  const given = FILE_FORMATS.find(
    (format) => format === (request.parameters.output_format ?? config.parameters?.format),
  );
  const format =
    config.format ?? given ?? (elsewhere && config.name === undefined && config.key === undefined ? undefined : 'json');
  if (format === undefined) return [];
  return [
    {
      format,
      ...(config.name === undefined ? {} : { name: config.name }),
      ...(config.key === undefined ? {} : { key: config.key }),
    },
  ];
}
