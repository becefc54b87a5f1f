/** Writes the few ONNX messages that a graph of a known model needs, as protobuf by hand. */

/*
 * Field numbers and enum values are those of onnx.proto3
 * (https://github.com/onnx/onnx/blob/main/onnx/onnx.proto3). A protobuf field is a varint tag
 * (number << 3 | wire type) and its value: wire type 0 is a varint, 2 a length and that many bytes, 5 four bytes.
 */
const FLOAT = 1;
const INT64 = 7;
const ATTRIBUTE_FLOAT = 1;
const ATTRIBUTE_INT = 2;
const ATTRIBUTE_INTS = 7;
const EXTERNAL = 1;

export type Attribute = { name: string } & ({ float: number } | { int: number } | { ints: number[] });

export interface Node {
  op: string;
  inputs: string[];
  outputs: string[];
  attributes?: Attribute[];
}

/** A tensor whose bytes lie in another file, `offset` bytes from its start. */
export interface ExternalTensor {
  name: string;
  shape: number[];
  location: string;
  offset: number;
  length: number;
}

/** A small constant inside the graph; a shape of `[]` is a scalar. */
export interface Constant {
  name: string;
  shape: number[];
  values: number[];
  type: 'float' | 'int64';
}

/** An input or output; a text dimension is one that varies. */
export interface Port {
  name: string;
  type: 'float' | 'int64';
  shape: (number | string)[];
}

export interface Graph {
  name: string;
  opset: number;
  inputs: Port[];
  outputs: Port[];
  nodes: Node[];
  weights: ExternalTensor[];
  constants: Constant[];
}

/** The graph as a model file. */
export function encodeModel(graph: Graph): Buffer {
  const body = [
    ...graph.nodes.map((node, at) => bytes(1, encodeNode(node, at))),
    text(2, graph.name),
    ...graph.weights.map((weight) => bytes(5, encodeExternal(weight))),
    ...graph.constants.map((constant) => bytes(5, encodeConstant(constant))),
    ...graph.inputs.map((port) => bytes(11, encodePort(port))),
    ...graph.outputs.map((port) => bytes(12, encodePort(port))),
  ];
  const irVersion = 10;
  return Buffer.concat([
    integer(1, irVersion),
    text(2, 'ostinato'),
    bytes(7, Buffer.concat(body)),
    bytes(8, integer(2, graph.opset)),
  ]);
}

function encodeNode(node: Node, at: number): Buffer {
  return Buffer.concat([
    ...node.inputs.map((name) => text(1, name)),
    ...node.outputs.map((name) => text(2, name)),
    text(3, `${node.op}_${at}`),
    text(4, node.op),
    ...(node.attributes ?? []).map((attribute) => bytes(5, encodeAttribute(attribute))),
  ]);
}

function encodeAttribute(attribute: Attribute): Buffer {
  const name = text(1, attribute.name);
  if ('float' in attribute) {
    const value = Buffer.alloc(4);
    value.writeFloatLE(attribute.float);
    return Buffer.concat([name, tag(2, 5), value, integer(20, ATTRIBUTE_FLOAT)]);
  }
  if ('int' in attribute) return Buffer.concat([name, integer(3, attribute.int), integer(20, ATTRIBUTE_INT)]);
  return Buffer.concat([name, ...attribute.ints.map((value) => integer(8, value)), integer(20, ATTRIBUTE_INTS)]);
}

function encodeExternal(tensor: ExternalTensor): Buffer {
  const entry = (key: string, value: string | number) => bytes(13, Buffer.concat([text(1, key), text(2, `${value}`)]));
  return Buffer.concat([
    ...tensor.shape.map((size) => integer(1, size)),
    integer(2, FLOAT),
    text(8, tensor.name),
    entry('location', tensor.location),
    entry('offset', tensor.offset),
    entry('length', tensor.length),
    integer(14, EXTERNAL),
  ]);
}

function encodeConstant(constant: Constant): Buffer {
  const raw = Buffer.alloc(constant.values.length * (constant.type === 'float' ? 4 : 8));
  constant.values.forEach((value, at) => {
    if (constant.type === 'float') raw.writeFloatLE(value, at * 4);
    else raw.writeBigInt64LE(BigInt(value), at * 8);
  });
  return Buffer.concat([
    ...constant.shape.map((size) => integer(1, size)),
    integer(2, constant.type === 'float' ? FLOAT : INT64),
    text(8, constant.name),
    bytes(9, raw),
  ]);
}

function encodePort(port: Port): Buffer {
  const shape = port.shape.map((size) => bytes(1, typeof size === 'number' ? integer(1, size) : text(2, size)));
  const tensor = Buffer.concat([integer(1, port.type === 'float' ? FLOAT : INT64), bytes(2, Buffer.concat(shape))]);
  return Buffer.concat([text(1, port.name), bytes(2, bytes(1, tensor))]);
}

function tag(field: number, wireType: number): Buffer {
  return varint((field << 3) | wireType);
}

function integer(field: number, value: number): Buffer {
  return Buffer.concat([tag(field, 0), varint(value)]);
}

function text(field: number, value: string): Buffer {
  return bytes(field, Buffer.from(value));
}

function bytes(field: number, value: Buffer): Buffer {
  return Buffer.concat([tag(field, 2), varint(value.length), value]);
}

/** Seven bits a byte, lowest first; a negative number is its 64-bit two's complement. */
function varint(value: number): Buffer {
  let rest = BigInt.asUintN(64, BigInt(value));
  const out: number[] = [];
  while (rest > 0x7fn) {
    out.push(Number(rest & 0x7fn) | 0x80);
    rest >>= 7n;
  }
  out.push(Number(rest));
  return Buffer.from(out);
}
