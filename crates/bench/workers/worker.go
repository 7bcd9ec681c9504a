// A worker that spawns with os/exec: the protocol of `worker.rs`.
package main

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"
)

const (
	nobody = 65534
	source = 4
)

var (
	program = []string{"/bin/true"}
	kept    []*os.File
	mapped  = os.NewFile(source, "source")
	memory  []byte
	unable  = errors.New("its list of descriptors counts from 3")
)

func spawn(task string) error {
	command := exec.Command(program[0], program[1:]...)
	command.Stdin, command.Stdout, command.Stderr = os.Stdin, os.Stdout, os.Stderr
	switch task {
	case "captured":
		return captured(command)
	case "kept":
		return unable
	case "mapped":
		command.ExtraFiles = kept
	case "full":
		command.ExtraFiles = []*os.File{mapped}
		command.Dir = "/"
		command.SysProcAttr = &syscall.SysProcAttr{Setsid: true, Credential: &syscall.Credential{Uid: nobody, Gid: nobody}}
	}
	return command.Run()
}

func captured(command *exec.Cmd) error {
	command.Stdout = nil
	out, err := command.StdoutPipe()
	if err != nil {
		return err
	}
	if err := command.Start(); err != nil {
		return err
	}
	if _, err := io.ReadAll(out); err != nil {
		return err
	}
	return command.Wait()
}

func run(task string, count int) (string, error) {
	said := "ok"
	for i := 0; i < count; i++ {
		start := time.Now()
		if err := spawn(task); err != nil {
			return "", err
		}
		said += " " + strconv.FormatInt(time.Since(start).Nanoseconds(), 10)
	}
	return said, nil
}

func together(task string, threads, count int) (string, error) {
	var running sync.WaitGroup
	failed := make(chan error, threads*count)
	start := time.Now()
	for i := 0; i < threads; i++ {
		running.Add(1)
		go func() {
			defer running.Done()
			for j := 0; j < count; j++ {
				if err := spawn(task); err != nil {
					failed <- err
				}
			}
		}()
	}
	running.Wait()
	took := time.Since(start)
	if len(failed) > 0 {
		return "", <-failed
	}
	return fmt.Sprint("ok ", took.Nanoseconds()), nil
}

func number(word string) int {
	value, err := strconv.Atoi(word)
	if err != nil {
		panic(err)
	}
	return value
}

func touch(size int) {
	memory = make([]byte, size)
	for at := 0; at < size; at += 4096 {
		memory[at] = 1
	}
}

func answer(words []string) (string, error) {
	switch words[0] {
	case "program":
		program = words[1:]
	case "keep":
		kept = nil
		for _, word := range words[1:] {
			kept = append(kept, os.NewFile(uintptr(number(word)), word))
		}
	case "memory":
		touch(number(words[1]))
	case "run":
		return run(words[2], number(words[3]))
	case "together":
		return together(words[2], number(words[3]), number(words[4]))
	default:
		return "", errors.New("not understood")
	}
	return "ok", nil
}

func main() {
	lines := bufio.NewScanner(os.Stdin)
	for lines.Scan() {
		said, err := answer(strings.Fields(lines.Text()))
		if err == unable {
			said = "no " + err.Error()
		} else if err != nil {
			said = "error " + err.Error()
		}
		fmt.Println(said)
	}
}
