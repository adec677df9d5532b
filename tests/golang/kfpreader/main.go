// Reads pipeline documents as KFP 2.17's API server does (backend/src/apiserver/template): YAML by
// yaml.v3, then JSON by protojson, which refuses fields and values that the messages don't know. The
// containers and their platform settings, which the server leaves to its compiler and its driver, are
// read the same way.
//
// The first line holds the messages, a FileDescriptorSet in base64. Then a JSON object a line in,
// with the text of a file, and one a line out, with what is wrong.
package main

import (
	"bufio"
	"bytes"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"

	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protodesc"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/reflect/protoregistry"
	"google.golang.org/protobuf/types/descriptorpb"
	"google.golang.org/protobuf/types/dynamicpb"
	goyaml "gopkg.in/yaml.v3"
	"sigs.k8s.io/yaml"
)

type question struct {
	Text string `json:"text"`
}

type answer struct {
	Wrong []string `json:"wrong"`
}

func main() {
	lines := bufio.NewScanner(os.Stdin)
	lines.Buffer(nil, 1<<26)
	lines.Scan()
	known := messages(lines.Text())
	out := json.NewEncoder(os.Stdout)
	for lines.Scan() {
		var asked question
		must(json.Unmarshal(lines.Bytes(), &asked))
		wrong := []string{}
		if err := read(known, asked.Text); err != nil {
			wrong = append(wrong, err.Error())
		}
		must(out.Encode(answer{Wrong: wrong}))
	}
	must(lines.Err())
}

func must(err error) {
	if err != nil {
		panic(err)
	}
}

func messages(encoded string) *protoregistry.Files {
	text, err := base64.StdEncoding.DecodeString(encoded)
	must(err)
	var described descriptorpb.FileDescriptorSet
	must(proto.Unmarshal(text, &described))
	known, err := protodesc.NewFiles(&described)
	must(err)
	return known
}

func read(known *protoregistry.Files, text string) error {
	documents := goyaml.NewDecoder(bytes.NewReader([]byte(text)))
	pipelines, platforms := 0, 0
	for {
		var document map[string]any
		if err := documents.Decode(&document); errors.Is(err, io.EOF) {
			break
		} else if err != nil {
			return err
		}
		if _, ok := document["platforms"]; ok {
			platforms++
			if err := readPlatforms(known, document); err != nil {
				return fmt.Errorf("platform spec: %w", err)
			}
			continue
		}
		pipelines++
		if err := readPipeline(known, document); err != nil {
			return fmt.Errorf("pipeline spec: %w", err)
		}
	}
	if pipelines != 1 || platforms > 1 {
		return fmt.Errorf("%d pipeline specs and %d platform specs", pipelines, platforms)
	}
	return nil
}

func readPipeline(known *protoregistry.Files, document map[string]any) error {
	text, err := json.Marshal(document)
	if err != nil {
		return err
	}
	if err := decode(known, "ml_pipelines.PipelineSpec", text); err != nil {
		return err
	}
	return decodeValue(known, "ml_pipelines.PipelineDeploymentConfig", document["deploymentSpec"])
}

func readPlatforms(known *protoregistry.Files, document map[string]any) error {
	again, err := goyaml.Marshal(document)
	if err != nil {
		return err
	}
	text, err := yaml.YAMLToJSON(again)
	if err != nil {
		return err
	}
	if err := decode(known, "ml_pipelines.PlatformSpec", text); err != nil {
		return err
	}
	var platform struct {
		Platforms struct {
			Kubernetes struct {
				DeploymentSpec struct {
					Executors map[string]any
				}
			}
		}
	}
	if err := json.Unmarshal(text, &platform); err != nil {
		return err
	}
	for label, config := range platform.Platforms.Kubernetes.DeploymentSpec.Executors {
		if err := decodeValue(known, "kfp_kubernetes.KubernetesExecutorConfig", config); err != nil {
			return fmt.Errorf("%s: %w", label, err)
		}
	}
	return nil
}

func decodeValue(known *protoregistry.Files, name protoreflect.FullName, value any) error {
	text, err := json.Marshal(value)
	if err != nil {
		return err
	}
	return decode(known, name, text)
}

func decode(known *protoregistry.Files, name protoreflect.FullName, text []byte) error {
	found, err := known.FindDescriptorByName(name)
	must(err)
	return protojson.Unmarshal(text, dynamicpb.NewMessage(found.(protoreflect.MessageDescriptor)))
}
