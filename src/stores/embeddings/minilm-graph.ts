/** The ONNX graph of all-MiniLM-L6-v2: a BERT encoder with mean pooling, over the weights of its safetensors file. */
import { open } from 'node:fs/promises';
import { basename } from 'node:path';
import { Failure } from '../../schema/failures.ts';
import { type Attribute, type ExternalTensor, encodeModel, type Graph } from './onnx.ts';

/** From the model's config.json. */
const LAYERS = 6;
const HIDDEN = 384;
const HEADS = 12;
const LAYER_NORM_EPSILON = 1e-12;
/** LayerNormalization came with opset 17, Gelu with 20. */
const OPSET = 20;
const MAX_HEADER = 1024 * 1024;

/** The model file for the weights in `safetensors`, to be stored in the same folder. Throws Failure('malformed'). */
export async function miniLmModel(safetensors: string): Promise<Buffer> {
  return encodeModel(buildGraph(await readHeader(safetensors)));
}

/**
 * Safetensors: 8 bytes little-endian header length, a JSON header of `{name: {dtype, shape, data_offsets}}`, then the
 * data, from whose start the offsets count (https://github.com/huggingface/safetensors#format).
 */
async function readHeader(file: string): Promise<Map<string, ExternalTensor>> {
  const handle = await open(file);
  try {
    const { buffer: prefix } = await handle.read(Buffer.alloc(8), 0, 8, 0);
    const length = Number(prefix.readBigUInt64LE());
    if (length === 0 || length > MAX_HEADER) throw new Failure('malformed', `${basename(file)} is no safetensors file`);
    const { buffer } = await handle.read(Buffer.alloc(length), 0, length, 8);
    const header: Record<string, { shape: number[]; data_offsets: [number, number] }> = JSON.parse(buffer.toString());
    const tensors = new Map<string, ExternalTensor>();
    for (const [name, { shape, data_offsets }] of Object.entries(header)) {
      if (name === '__metadata__') continue;
      const [start, end] = data_offsets;
      tensors.set(name, { name, shape, location: basename(file), offset: 8 + length + start, length: end - start });
    }
    return tensors;
  } finally {
    await handle.close();
  }
}

/** Inputs `input_ids` and `attention_mask` of [batch, length]; output `embedding` of [batch, 384], of unit length. */
function buildGraph(tensors: Map<string, ExternalTensor>): Graph {
  const weights = new Map<string, ExternalTensor>();
  const nodes: Graph['nodes'] = [];
  const constants: Graph['constants'] = [];

  const weight = (name: string): string => {
    const tensor = tensors.get(name);
    if (!tensor) throw new Failure('malformed', `The weights hold no tensor ${name}`);
    weights.set(name, tensor);
    return name;
  };
  const constant = (type: 'float' | 'int64', values: number | number[]): string => {
    const list = typeof values === 'number' ? [values] : values;
    const name = `constant_${constants.length}`;
    constants.push({ name, type, values: list, shape: typeof values === 'number' ? [] : [list.length] });
    return name;
  };
  const node = (op: string, inputs: string[], attributes: Attribute[] = []): string => {
    const output = `${op}_${nodes.length}_out`;
    nodes.push({ op, inputs, outputs: [output], attributes });
    return output;
  };
  const layerNorm = (input: string, prefix: string): string =>
    node(
      'LayerNormalization',
      [input, weight(`${prefix}.weight`), weight(`${prefix}.bias`)],
      [
        { name: 'axis', int: -1 },
        { name: 'epsilon', float: LAYER_NORM_EPSILON },
      ],
    );
  /** Weights are stored as [out, in]: transB multiplies by them as they lie, without a transposed copy. */
  const linear = (input: string, prefix: string): string =>
    node('Gemm', [input, weight(`${prefix}.weight`), weight(`${prefix}.bias`)], [{ name: 'transB', int: 1 }]);
  const transpose = (input: string, perm: number[]): string =>
    node('Transpose', [input], [{ name: 'perm', ints: perm }]);

  const shape = node('Shape', ['input_ids']);
  const length = node('Gather', [shape, constant('int64', 1)]);
  const flat = constant('int64', [-1, HIDDEN]);
  const perHead = node('Concat', [shape, constant('int64', [HEADS, HIDDEN / HEADS])], [{ name: 'axis', int: 0 }]);
  const perText = node('Concat', [shape, constant('int64', [HIDDEN])], [{ name: 'axis', int: 0 }]);

  const words = node('Gather', [weight('embeddings.word_embeddings.weight'), 'input_ids']);
  const range = node('Range', [constant('int64', 0), length, constant('int64', 1)]);
  const positions = node('Gather', [weight('embeddings.position_embeddings.weight'), range]);
  // One text an input: every token is of type 0.
  const types = node('Gather', [weight('embeddings.token_type_embeddings.weight'), constant('int64', 0)]);
  const summed = node('Add', [node('Add', [words, positions]), types]);

  const mask = node('Cast', ['attention_mask'], [{ name: 'to', int: 1 }]);
  // 0 where there is a token, far below every score where there is padding.
  const hidden = node('Mul', [node('Sub', [constant('float', 1), mask]), constant('float', -1e9)]);
  const scoreMask = node('Unsqueeze', [hidden, constant('int64', [1, 2])]);
  const scale = constant('float', 1 / Math.sqrt(HIDDEN / HEADS));

  let state = node('Reshape', [layerNorm(summed, 'embeddings.LayerNorm'), flat]);
  for (let layer = 0; layer < LAYERS; layer += 1) {
    const prefix = `encoder.layer.${layer}`;
    const heads = (name: string) => node('Reshape', [linear(state, `${prefix}.attention.self.${name}`), perHead]);
    const query = transpose(heads('query'), [0, 2, 1, 3]);
    const key = transpose(heads('key'), [0, 2, 3, 1]);
    const value = transpose(heads('value'), [0, 2, 1, 3]);
    const scores = node('Add', [node('Mul', [node('MatMul', [query, key]), scale]), scoreMask]);
    const attention = node('MatMul', [node('Softmax', [scores], [{ name: 'axis', int: -1 }]), value]);
    const merged = node('Reshape', [transpose(attention, [0, 2, 1, 3]), flat]);
    const attended = linear(merged, `${prefix}.attention.output.dense`);
    state = layerNorm(node('Add', [attended, state]), `${prefix}.attention.output.LayerNorm`);
    const inner = node('Gelu', [linear(state, `${prefix}.intermediate.dense`)]);
    const outer = linear(inner, `${prefix}.output.dense`);
    state = layerNorm(node('Add', [outer, state]), `${prefix}.output.LayerNorm`);
  }

  // The mean over the tokens of a text (padding left out), then unit length: as the model's own pipeline does.
  const tokens = node('Mul', [node('Reshape', [state, perText]), node('Unsqueeze', [mask, constant('int64', [2])])]);
  const keep = [{ name: 'keepdims', int: 1 }];
  const total = node('ReduceSum', [tokens, constant('int64', [1])], [{ name: 'keepdims', int: 0 }]);
  const mean = node('Div', [total, node('ReduceSum', [mask, constant('int64', [1])], keep)]);
  const norm = node('ReduceL2', [mean, constant('int64', [1])], keep);
  nodes.push({ op: 'Div', inputs: [mean, norm], outputs: ['embedding'] });

  return {
    name: 'all-MiniLM-L6-v2',
    opset: OPSET,
    inputs: [
      { name: 'input_ids', type: 'int64', shape: ['batch', 'length'] },
      { name: 'attention_mask', type: 'int64', shape: ['batch', 'length'] },
    ],
    outputs: [{ name: 'embedding', type: 'float', shape: ['batch', HIDDEN] }],
    nodes,
    weights: [...weights.values()],
    constants,
  };
}
