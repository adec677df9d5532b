// Evaluates expressions as the engines do: a JSON object a line in, one a line out.
//
// `expr` with the names that Argo 4.1 adds to expr-lang (util/expr/env), `cel` as KFP 2.17 does in
// its conditions (backend/src/v2/expression), where inputs are protobuf values, and `select` as in
// its selectors, which see one value as text.
package main

import (
	"bufio"
	"encoding/json"
	"fmt"
	"os"
	"reflect"

	"github.com/expr-lang/expr"
	"github.com/expr-lang/expr/builtin"
	"github.com/google/cel-go/cel"
	"github.com/google/cel-go/common/types"
	"github.com/google/cel-go/common/types/ref"
	"google.golang.org/protobuf/types/known/structpb"
)

type question struct {
	Language string         `json:"language"`
	Text     string         `json:"text"`
	Env      map[string]any `json:"env"`
}

type answer struct {
	Value any    `json:"value"`
	Error string `json:"error,omitempty"`
}

func main() {
	lines := bufio.NewScanner(os.Stdin)
	lines.Buffer(nil, 1<<24)
	out := json.NewEncoder(os.Stdout)
	for lines.Scan() {
		var asked question
		if err := json.Unmarshal(lines.Bytes(), &asked); err != nil {
			panic(err)
		}
		value, err := evaluate(asked)
		found := answer{Value: value}
		if err != nil {
			found = answer{Error: err.Error()}
		}
		if err := out.Encode(found); err != nil {
			panic(err)
		}
	}
}

func evaluate(asked question) (any, error) {
	switch asked.Language {
	case "expr":
		return evaluateExpr(asked.Text, asked.Env)
	case "cel":
		return evaluateCel(asked.Text, asked.Env)
	case "select":
		return evaluateSelector(asked.Text, asked.Env)
	}
	return nil, fmt.Errorf("unknown language %q", asked.Language)
}

func evaluateExpr(text string, env map[string]any) (any, error) {
	if env == nil {
		env = map[string]any{}
	}
	env["asInt"] = builtin.Int
	env["asFloat"] = builtin.Float
	env["toJson"] = func(value any) string {
		text, err := json.Marshal(value)
		if err != nil {
			panic(err)
		}
		return string(text)
	}
	program, err := expr.Compile(text, expr.Env(env))
	if err != nil {
		return nil, err
	}
	return expr.Run(program, env)
}

func evaluateCel(text string, inputs map[string]any) (any, error) {
	values := map[string]*structpb.Value{}
	for name, given := range inputs {
		value, err := structpb.NewValue(given)
		if err != nil {
			return nil, err
		}
		values[name] = value
	}
	found, err := run(text,
		cel.Variable("inputs", cel.MapType(cel.StringType, cel.MapType(cel.StringType, cel.DynType))),
		map[string]any{"inputs": map[string]any{"parameter_values": values}},
	)
	if err != nil {
		return nil, err
	}
	return found.Value(), nil
}

func evaluateSelector(text string, given map[string]any) (any, error) {
	known := cel.DeclareContextProto((&structpb.Value{}).ProtoReflect().Descriptor())
	found, err := run(text, known, given)
	if err != nil {
		return nil, err
	}
	value, err := found.ConvertToNative(reflect.TypeFor[*structpb.Value]())
	if err != nil {
		return nil, err
	}
	return value.(*structpb.Value).AsInterface(), nil
}

func run(text string, known cel.EnvOption, given map[string]any) (ref.Val, error) {
	env, err := cel.NewEnv(known, cel.Function("parseJson", cel.Overload("parse_json",
		[]*cel.Type{cel.StringType}, cel.DynType, cel.UnaryBinding(parseJSON))))
	if err != nil {
		return nil, err
	}
	ast, issues := env.Compile(text)
	if issues != nil && issues.Err() != nil {
		return nil, issues.Err()
	}
	program, err := env.Program(ast)
	if err != nil {
		return nil, err
	}
	found, _, err := program.Eval(given)
	return found, err
}

func parseJSON(argument ref.Val) ref.Val {
	var value any
	if err := json.Unmarshal([]byte(argument.Value().(string)), &value); err != nil {
		return types.NewErr("%s", err)
	}
	return types.DefaultTypeAdapter.NativeToValue(value)
}
