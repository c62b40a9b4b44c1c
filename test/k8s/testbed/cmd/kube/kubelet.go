package main

import (
	"context"
	"fmt"
	"os"
	"strconv"

	cadvisorapi "github.com/google/cadvisor/info/v1"
	"github.com/spf13/cobra"
	genericapiserver "k8s.io/apiserver/pkg/server"
	utilfeature "k8s.io/apiserver/pkg/util/feature"
	"k8s.io/component-base/logs"
	logsapi "k8s.io/component-base/logs/api/v1"
	kubelet "k8s.io/kubernetes/cmd/kubelet/app"
	"k8s.io/kubernetes/cmd/kubelet/app/options"
	"k8s.io/kubernetes/pkg/kubelet/cadvisor"
	"k8s.io/kubernetes/pkg/kubelet/kubeletconfig/configfiles"
	utilfs "k8s.io/kubernetes/pkg/util/filesystem"
)

// The real kubelet, on a machine of the size that the test asks for. A kubelet takes the size of its node from cAdvisor and
// overwrites every patch of the node's status, so the size is given to it where it looks.
// Environment: TESTBED_NODE_CPUS, TESTBED_NODE_MEMORY_MIB; unset means the host's.
func newKubeletCommand() *cobra.Command {
	flags := options.NewKubeletFlags()
	command := &cobra.Command{
		Use: "kubelet",
		RunE: func(_ *cobra.Command, _ []string) error {
			return runKubelet(genericapiserver.SetupSignalContext(), flags)
		},
	}
	flags.AddFlags(command.Flags())
	return command
}

func runKubelet(ctx context.Context, flags *options.KubeletFlags) error {
	loader, err := configfiles.NewFsLoader(&utilfs.DefaultFs{}, flags.KubeletConfigFile)
	if err != nil {
		return err
	}
	config, err := loader.Load(ctx)
	if err != nil {
		return err
	}
	if err := utilfeature.DefaultMutableFeatureGate.SetFromMap(config.FeatureGates); err != nil {
		return err
	}
	logs.InitLogs()
	if err := logsapi.ValidateAndApply(&config.Logging, utilfeature.DefaultFeatureGate); err != nil {
		return err
	}
	server := &options.KubeletServer{KubeletFlags: *flags, KubeletConfiguration: *config}
	dependencies, err := kubelet.UnsecuredDependencies(ctx, server, utilfeature.DefaultFeatureGate)
	if err != nil {
		return err
	}
	machine, err := cadvisor.New(
		cadvisor.NewImageFsInfoProvider(config.ContainerRuntimeEndpoint), flags.RootDirectory, []string{config.CgroupRoot},
		cadvisor.UsingLegacyCadvisorStats(config.ContainerRuntimeEndpoint), config.LocalStorageCapacityIsolation)
	if err != nil {
		return err
	}
	dependencies.CAdvisorInterface, err = sized(machine)
	if err != nil {
		return err
	}
	return kubelet.Run(ctx, server, dependencies, utilfeature.DefaultFeatureGate)
}

type sizedMachine struct {
	cadvisor.Interface
	cpus, memoryMiB int
}

func sized(machine cadvisor.Interface) (cadvisor.Interface, error) {
	cpus, err := fromEnvironment("TESTBED_NODE_CPUS")
	if err != nil {
		return nil, err
	}
	memoryMiB, err := fromEnvironment("TESTBED_NODE_MEMORY_MIB")
	return sizedMachine{machine, cpus, memoryMiB}, err
}

func fromEnvironment(name string) (int, error) {
	text := os.Getenv(name)
	if text == "" {
		return 0, nil
	}
	value, err := strconv.Atoi(text)
	if err != nil || value < 1 {
		return 0, fmt.Errorf("%s is not a positive whole number: %q", name, text)
	}
	return value, nil
}

func (machine sizedMachine) MachineInfo() (*cadvisorapi.MachineInfo, error) {
	info, err := machine.Interface.MachineInfo()
	if err != nil {
		return nil, err
	}
	info = info.Clone()
	if machine.cpus > 0 {
		info.NumCores = machine.cpus
	}
	if machine.memoryMiB > 0 {
		info.MemoryCapacity = uint64(machine.memoryMiB) << 20
	}
	return info, nil
}
