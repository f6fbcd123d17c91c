export interface Shape {
  readonly name: string;
  readonly sides: number;
}

export enum Kind {
  Flat = "flat",
  Round = "round",
}

export function kindOf(shape: Shape): Kind {
  return shape.sides > 0 ? Kind.Flat : Kind.Round;
}
