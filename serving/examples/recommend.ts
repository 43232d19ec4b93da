// Recommendations over TensorFlow Serving's REST API, with nothing but fetch (Node 18 and later, Deno, Bun, browsers).
//
//   node --experimental-strip-types recommend.ts http://localhost:8501 films u17 m3,m7
//
// The shapes of the model's inputs are read from its metadata once, and again where a request is refused, as when a
// version with others took over. What a request leaves out is filled in: "" for strings and NaN for numbers, which
// TensorFlow Serving reads in JSON although JSON has no such word.

type Value = string | number | readonly string[];

interface Input {
  dtype: string;
  tensor_shape: { dim: { size: string }[] };
}

interface Answer {
  item_ids: string[];
  scores: number[];
  based_on: string;
}

export interface Recommendation {
  itemId: string;
  score: number;
}

// What the model server answered instead of recommendations.
export class ModelServerError extends Error {
  readonly status: number;

  constructor(status: number, text: string | undefined) {
    super(`the model server answered ${status}: ${text}`);
    this.status = status;
  }
}

export class Recommender {
  private readonly url: string;
  private readonly timeout: number;
  private inputs: Record<string, Input> | undefined;

  // `server` is http://host:port, `timeout` is in milliseconds, `label` names a version such as stable or canary.
  constructor(server: string, model: string, timeout: number = 2000, label: string = "") {
    const version = label ? `/labels/${encodeURIComponent(label)}` : "";
    this.url = `${server}/v1/models/${encodeURIComponent(model)}${version}`;
    this.timeout = timeout;
  }

  // The k best items for a request such as {user_id: "u17", history: ["m3"], age: 31, filter_genres: ["Drama"]}.
  async recommend(request: Record<string, Value>, k: number = 10): Promise<Recommendation[]> {
    const learnt = this.inputs !== undefined;
    try {
      return await this.ask(request, k);
    } catch (error) {
      // Another version, with other inputs, may have taken over since they were read.
      if (!learnt || !(error instanceof ModelServerError) || error.status !== 400) {
        throw error;
      }
      this.inputs = undefined;
      return await this.ask(request, k);
    }
  }

  private async ask(request: Record<string, Value>, k: number): Promise<Recommendation[]> {
    const inputs = await this.learnInputs();
    const unknown = Object.keys(request).find((name) => !(name in inputs));
    if (unknown !== undefined) {
      throw new Error(`the model has no input ${unknown}; it has ${Object.keys(inputs).sort().join(", ")}`);
    }
    const instance = Object.fromEntries(
      Object.entries(inputs).map(([name, input]) => [name, padded(request[name], input, name === "history")]),
    );
    const body = { signature_name: "serving_default", instances: [instance] };
    const response = (await this.fetched(":predict", withNaN(body))) as { predictions: Answer[] };
    const { item_ids, scores } = response.predictions[0];
    return item_ids
      .map((itemId, row) => ({ itemId, score: scores[row] }))
      .filter(({ itemId }) => itemId !== "")
      .slice(0, k);
  }

  private async learnInputs(): Promise<Record<string, Input>> {
    if (this.inputs === undefined) {
      const { metadata } = (await this.fetched("/metadata")) as {
        metadata: { signature_def: { signature_def: Record<string, { inputs: Record<string, Input> }> } };
      };
      this.inputs = metadata.signature_def.signature_def["serving_default"].inputs;
    }
    return this.inputs;
  }

  private async fetched(path: string, body?: string): Promise<unknown> {
    const response = await fetch(this.url + path, {
      method: body === undefined ? "GET" : "POST",
      body,
      signal: AbortSignal.timeout(this.timeout),
    });
    const answer = (await response.json()) as { error?: string };
    if (!response.ok) {
      throw new ModelServerError(response.status, answer.error);
    }
    return answer;
  }
}

// A value as the input takes it: lists cut to their length, of a history the latest, and filled up with "".
function padded(value: Value | undefined, input: Input, latest: boolean): Value {
  const width = input.tensor_shape.dim[1];
  const absent = input.dtype === "DT_STRING" ? "" : NaN;
  if (width === undefined) {
    return value ?? absent;
  }
  const length = Number(width.size);
  const given = value === undefined ? [] : typeof value === "object" ? [...value] : [String(value)];
  const kept = latest ? given.slice(-length) : given.slice(0, length);
  return [...kept, ...Array<string>(length - kept.length).fill("")];
}

function withNaN(body: unknown): string {
  const mark = "\u0000NaN";
  const text = JSON.stringify(body, (_, value) => (Number.isNaN(value) ? mark : value));
  return text.replaceAll(JSON.stringify(mark), "NaN");
}

const [server, model, user, history] = typeof process === "undefined" ? [] : process.argv.slice(2);
if (server !== undefined && model !== undefined) {
  const recommender = new Recommender(server, model);
  const request = { user_id: user ?? "", history: (history ?? "").split(",").filter((item) => item !== "") };
  for (const { itemId, score } of await recommender.recommend(request)) {
    console.log(`${itemId}\t${score.toFixed(4)}`);
  }
}
